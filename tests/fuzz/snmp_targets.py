"""SNMP replies of any bytes: through the codec, the engine and a whole poll; and targets that are nonsense.

What real agents say is said by the simulated fleet, in process: its replies are spoilt on their way.
"""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from random import Random
from typing import Any

from msgspec import structs

from streampoll.config.profiles import BUILTIN, read_profiles
from streampoll.config.report import Report
from streampoll.config.settings import SnmpSettings
from streampoll.embedded.fleet import FleetSettings
from streampoll.embedded.fleet.figures import Figures
from streampoll.embedded.fleet.population import make_population
from streampoll.embedded.fleet.responder import Responder
from streampoll.errors import EntryError, SnmpError
from streampoll.model import Outcome, Status, Target, Trace
from streampoll.pollers.snmp import SnmpPoller
from streampoll.results.codec import decode_payload, encode_payload
from streampoll.shards.entries import decode_target, encode_target
from streampoll.snmp import ber
from streampoll.snmp.client import WireEngine
from streampoll.snmp.collect import Collector
from streampoll.snmp.engine import Failure, Reply
from streampoll.snmp.memory import Memory
from streampoll.snmp.message import PduType, Request, read_head, read_varbinds
from streampoll.snmp.plan import CollectPlan
from tests.fuzz.decode_targets import TARGET
from tests.fuzz.mutate import any_of, mutated, regrown
from tests.fuzz.watched import run_watched
from tests.snmp_peer_support import PUBLIC, Asked, ScriptedPeer, answer, oids_of, varbind

_OIDS = oids_of(["1.3.6.1.2.1.1.3.0"])
_VALUES = (
    (ber.INTEGER, b"\x05"), (ber.OCTET_STRING, b"text\xff"), (ber.OBJECT_IDENTIFIER, b"\x2b\x06"), (0x46, b"\xff" * 9),
    (0x43, b"\x01\x00"), (0x40, b"\x7f\0\0\1"), (0x82, b""), (0x46, b""), (0x44, b"\x9f\x78\x04\x42\xf6\0\0"),
)  # fmt: skip
_VARBINDS = b"".join(varbind(_OIDS[0], tag, content) for tag, content in _VALUES)
_TRACE = Trace(0.0, 0.0, 0.0, 0.0, 0.0, 1, "w")
REPLY = answer(Asked(b"\x11\x22\x33\x44", 0xA0, b"", ("", 0)), _VARBINDS)


def codec(random: Random) -> None:
    """Anything that is not a reply is an SnmpError."""
    data = any_of(random, [REPLY])
    with suppress(SnmpError):
        *_, varbinds = read_head(data)
        read_varbinds(data, varbinds)


def engine(random: Random) -> None:
    """A request ends with its reply or a failure, whatever else comes from the device."""
    run_watched(_ask(random))


async def _ask(random: Random) -> None:
    def script(peer: ScriptedPeer, asked: Asked) -> None:
        right = answer(asked, varbind(_OIDS[0], 0x43, b"\x07"))
        for _ in range(random.randint(1, 20)):
            peer.send(any_of(random, [right, answer(asked, _VARBINDS)])[:60_000], asked)
        peer.send(right, asked)

    wire = WireEngine(SnmpSettings())
    try:
        async with ScriptedPeer(script) as peer:
            for _ in range(3):
                deadline = asyncio.get_running_loop().time() + 2.0
                said = await wire.request(peer.agent(timeout_s=1.0), Request(PduType.GET, _OIDS), deadline)
                assert isinstance(said, Reply | Failure)
    finally:
        await wire.close()


def collect(random: Random) -> None:
    """A poll of a whole profile ends with an outcome that can be stored, in time, whatever becomes of its replies."""
    plan = random.choice(list(_plans().values()))
    outcome = run_watched(_collect(random, plan, spoilt=random.choice((0.05, 0.3, 1.0))))
    decode_payload(encode_payload(outcome, _TRACE))


@cache
def _plans() -> dict[str, CollectPlan]:
    plans = read_profiles(BUILTIN, "built-in", Report())
    return {name: plan for name, plan in plans.items() if isinstance(plan, CollectPlan)}


async def _collect(random: Random, plan: CollectPlan, spoilt: float) -> Outcome:
    settings = FleetSettings(devices=50, seed=random.randrange(10))
    responder = Responder(settings, make_population(settings), Figures())

    def script(peer: ScriptedPeer, asked: Asked) -> None:
        if (pending := responder.accept(asked.data, bytes((127, 1, 0, random.randint(1, 50))))) is not None:
            reply = responder.reply(pending, 170_000_000_000) or b""
            peer.send(_spoil(random, reply)[:60_000] if random.random() < spoilt else reply, asked)

    wire = WireEngine(SnmpSettings())
    try:
        async with ScriptedPeer(script) as peer:
            deadline = asyncio.get_running_loop().time() + 0.5
            return await Collector(wire, Memory()).collect(peer.agent(timeout_s=0.01, window=4), plan, deadline)
    finally:
        await wire.close()


def _spoil(random: Random, reply: bytes) -> bytes:
    """Change a reply; most often behind its head, so that it is taken for what was asked for."""
    if random.random() < 0.2:
        return mutated(random, reply)
    data = bytearray(reply)
    for _ in range(random.randint(1, 3)):
        data[random.randrange(min(40, len(data) - 1), len(data))] = random.choice((0, 1, 5, 0x7F, 0x80, 0x82, 0xFF))
    return bytes(data)


def targets(random: Random) -> None:
    """A target of nonsense ends with an outcome too."""
    overrides = regrown(random, dict(TARGET.overrides))
    try:
        target, _ = decode_target(encode_target(structs.replace(TARGET, address=_address(random), overrides=overrides)))
    except (EntryError, ValueError, OverflowError, TypeError):
        return  # no entry can hold it
    with _no_name_server():
        outcome = run_watched(_poll(random, target))
    decode_payload(encode_payload(outcome, _TRACE))
    assert outcome.status is not Status.ERROR, outcome.error


def _address(random: Random) -> str:
    return random.choice(
        (
            "127.0.0.1",
            "::1",
            "",
            "\0",
            "127.0.0.1\0",
            "x" * 64 + ".example",
            "é" * 80,
            "1.2.3.4.5",
            "[::1]",
            "::1%lo",
            "a b",
        )
    )


async def _poll(random: Random, target: Target) -> Outcome:
    poller = SnmpPoller(SnmpSettings(timeout_s=0.01, retries=0))
    try:
        port = random.choice((9, 0, -1, 65_536, 1 << 40, True))
        deadline = asyncio.get_running_loop().time() + 0.1
        return await poller.poll(structs.replace(target, port=port), _plans()["system"], PUBLIC, deadline)
    finally:
        await poller.close()


@contextmanager
def _no_name_server() -> Iterator[None]:
    """Resolve as always, but ask nobody on the network."""
    real = socket.getaddrinfo

    def numeric(host: Any, port: Any, *rest: int) -> Any:
        family, kind, proto, flags = (*rest, 0, 0, 0, 0)[:4]
        return real(host, port, family, kind, proto, flags | socket.AI_NUMERICHOST)

    socket.getaddrinfo = numeric  # type: ignore[assignment]
    try:
        yield
    finally:
        socket.getaddrinfo = real


TARGETS = {"codec": codec, "engine": engine, "collect": collect, "targets": targets}
