"""Entries, devices and names that a worker can't make sense of: each ends in a state that says why."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e_support import START_S, Deployment, deployed
from tests.waiting import eventually


@pytest.fixture
def system(open_directory: Path, fresh_redis: str, fresh_database: str) -> Iterator[Deployment]:
    with deployed(open_directory, fresh_redis, fresh_database) as deployment:
        yield deployment


@contextmanager
def babbling_agent() -> Iterator[int]:
    """Answer every datagram with bytes that are no SNMP; yields the port on 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as agent:
        agent.bind(("127.0.0.1", 0))

        def babble() -> None:
            while (said := agent.recvfrom(2048))[0] != b"end":
                agent.sendto(b"\x30\x0dhello, poller", said[1])

        thread = threading.Thread(target=babble, daemon=True)
        thread.start()
        yield agent.getsockname()[1]
        agent.sendto(b"end", agent.getsockname())
        thread.join()


def test_what_a_worker_does_not_know_or_can_not_read_stands_in_the_polls_row(system: Deployment) -> None:
    system.start("worker", "--processes", "1")
    eventually(system.ready, START_S)
    (system.where / "profiles").mkdir()
    (system.where / "profiles" / "newer.toml").write_text(
        '[scalars]\nsysName = { oid = "1.3.6.1.2.1.1.5.0", type = "text" }\n'
    )
    credentials = system.where / "credentials.toml"
    credentials.write_text(credentials.read_text() + '[credentials.newer]\ncommunity = { env = "ONLY_THERE" }\n')
    with babbling_agent() as port:
        system.inventory(
            ["a,127.1.0.1,,newer,", "b,127.1.0.2,,system,newer", f"c,127.0.0.1,{port},system,"],
            "name,address,port,profile,credential",
        )
        system.start("coordinator")
        rows = eventually(lambda: all(found := [system.rows(device) for device in "abc"]) and found, START_S)

    said = [(found[0]["status"], found[0]["error"]) for found in rows]
    assert [status for status, _ in said] == ["config", "config", "decode"]
    assert "newer" in said[0][1]
    assert "ONLY_THERE" in said[1][1]
    assert said[2][1]


def test_an_entry_that_nobody_knows_is_handed_back_once_and_then_buried_with_the_reason(system: Deployment) -> None:
    system.start("worker", "--processes", "1")
    fields = {"v": "1", "k": "dance", "j": "fast", "s": "60", "x": "0", "b": b"\xc0"}
    with system.redis() as client:
        for queue in ("polling", "results", "workflows", "analysis", "notifications"):
            client.xadd(f"sp:{{00}}:{queue}", fields)
        client.xadd("sp:{00}:polling", fields | {"v": "99"})
        client.xadd("sp:{00}:polling", {"what": "is this"})
        letters = eventually(lambda: len(found := dead(client)) == 7 and found, START_S)

    assert sorted(letters) == [
        ("analysis", "2", "no worker knows entries of kind 'dance'"),
        ("notifications", "2", "no worker knows entries of kind 'dance'"),
        ("polling", "2", "no worker can read this entry"),
        ("polling", "2", "no worker can read this entry"),
        ("polling", "2", "no worker knows entries of kind 'dance'"),
        ("results", "2", "unknown kind 'dance'"),
        ("workflows", "2", "no worker knows such an entry"),
    ]
    assert sum(row["dead"] for row in system.stats()["queues"]) == 7


def dead(client) -> list[tuple[str, str, str]]:
    """Return (class, delivery, cause) of every dead letter."""
    keys = [key.decode() for key in client.scan_iter("sp:*:dead")]
    letters = [(key.split(":")[2], entry) for key in keys for _, entry in client.xrange(key)]
    return [(queue, entry[b"delivery"].decode(), entry[b"cause"].decode()) for queue, entry in letters]
