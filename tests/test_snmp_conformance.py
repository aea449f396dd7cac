"""One suite for both engines: against net-snmp's agent and against pysnmp's own.

The same plan, collected by our wire engine and by pysnmp, in each version of SNMP and with every pair of v3 protocols,
must bring the same.
"""

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from streampoll.config.secret import Secret
from streampoll.config.settings import SnmpSettings
from streampoll.model import Outcome, Status
from streampoll.snmp.client import WireEngine
from streampoll.snmp.collect import Collector
from streampoll.snmp.credential import AuthProtocol, Community, Credential, PrivProtocol, UsmUser, Version
from streampoll.snmp.engine import Address, Agent, Engine, Limits
from streampoll.snmp.engines import make_pysnmp_engine
from streampoll.snmp.memory import Memory
from streampoll.snmp.plan import CollectPlan, Kind, Metric, Oid, TableSpec
from tests.snmp_pysnmp_agent_support import PysnmpAgent, rfc1902
from tests.snmp_support import V3_KEY, SnmpdAgent, free_udp_port

KEY = Secret(V3_KEY)
V1 = Community(Secret("public"), Version.V1)
V2C = Community(Secret("public"), Version.V2C)
V3 = UsmUser("shaaes", AuthProtocol.SHA1, KEY, PrivProtocol.AES128, KEY)
PAIRS = [
    UsmUser(f"{auth}-{priv}", auth, KEY, priv, KEY if priv is not PrivProtocol.NONE else Secret(""))
    for auth in AuthProtocol
    for priv in PrivProtocol
    if auth is not AuthProtocol.NONE
]
NET_SNMP = {
    AuthProtocol.MD5: "MD5", AuthProtocol.SHA1: "SHA", AuthProtocol.SHA224: "SHA-224", AuthProtocol.SHA256: "SHA-256",
    AuthProtocol.SHA384: "SHA-384", AuthProtocol.SHA512: "SHA-512",
    PrivProtocol.DES: "DES", PrivProtocol.AES128: "AES", PrivProtocol.AES192: "AES-192", PrivProtocol.AES256: "AES-256",
    PrivProtocol.AES192C: "AES-192-C", PrivProtocol.AES256C: "AES-256-C",
}  # fmt: skip
SYSTEM = (1, 3, 6, 1, 2, 1, 1)
MINE = (1, 3, 6, 1, 4, 1, 99)


@dataclass(frozen=True)
class Way:
    """An engine with a credential."""

    engine: str
    credential: Credential

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Engine]:
        settings = SnmpSettings()
        engine: Engine = WireEngine(settings) if self.engine == "wire" else make_pysnmp_engine(settings)
        try:
            yield engine
        finally:
            await engine.close()


WAYS = {
    "wire-v1": Way("wire", V1),
    "wire-v2c": Way("wire", V2C),
    "pysnmp-v1": Way("pysnmp", V1),
    "pysnmp-v2c": Way("pysnmp", V2C),
    "pysnmp-v3": Way("pysnmp", V3),
    "wire-v3": Way("wire", V3),
}


@pytest.fixture(params=WAYS.values(), ids=WAYS.keys())
def way(request: pytest.FixtureRequest) -> Way:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def snmpd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SnmpdAgent]:
    with SnmpdAgent(tmp_path_factory.mktemp("snmpd"), extra="".join(map(created, PAIRS))) as agent:
        yield agent


def created(user: UsmUser) -> str:
    """Say to snmpd who a user is."""
    privacy = f"{NET_SNMP[user.priv_protocol]} {V3_KEY}" if user.priv_protocol is not PrivProtocol.NONE else ""
    level = "priv" if privacy else "auth"
    return f"createUser {user.user} {NET_SNMP[user.auth_protocol]} {V3_KEY} {privacy}\nrouser {user.user} {level}\n"


async def collect(way: Way, address: Address, plan: CollectPlan, **limits: float) -> Outcome:
    async with way.open() as engine:
        agent = Agent(address, way.credential, Limits(**{"timeout_s": 5.0, **limits}))  # type: ignore[arg-type]
        return await Collector(engine, Memory()).collect(agent, plan, asyncio.get_running_loop().time() + 30)


def plan(*scalars: Metric, tables: tuple[TableSpec, ...] = ()) -> CollectPlan:
    return CollectPlan("conformance", scalars, tables)


SYSTEM_GROUP = plan(
    Metric("uptime", (*SYSTEM, 3, 0), Kind.TICKS),
    Metric("name", (*SYSTEM, 5, 0), Kind.TEXT),
    Metric("object", (*SYSTEM, 2, 0), Kind.OID),
    Metric("services", (*SYSTEM, 7, 0), Kind.INTEGER),
    Metric("contact", (*SYSTEM, 4, 0), Kind.BYTES),
)
MODULES = TableSpec(
    "modules",
    (
        Metric("id", (*SYSTEM, 9, 1, 2), Kind.OID),
        Metric("description", (*SYSTEM, 9, 1, 3), Kind.TEXT),
        Metric("since", (*SYSTEM, 9, 1, 4), Kind.TICKS),
    ),
)


async def test_scalars_of_net_snmp_keep_their_types(way: Way, snmpd: SnmpdAgent) -> None:
    outcome = await collect(way, snmpd.address, SYSTEM_GROUP)
    assert (outcome.status, outcome.missing) == (Status.OK, {})
    assert isinstance(outcome.values["uptime"], int)
    assert outcome.values | {"uptime": 0} == {
        "uptime": 0,
        "name": "agent-under-test",
        "object": "1.3.6.1.4.1.8072.3.2.10",
        "services": 72,
        "contact": b"ops@example.net",
    }


async def test_a_table_of_net_snmp_is_what_its_own_walk_shows(way: Way, snmpd: SnmpdAgent) -> None:
    outcome = await collect(way, snmpd.address, plan(tables=(MODULES,)))
    walk = subprocess.run(
        ["snmpwalk", "-v2c", "-cpublic", "-m", "", "-Oqvn", f"127.0.0.1:{snmpd.port}", "1.3.6.1.2.1.1.9.1.3"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = outcome.tables["modules"].rows
    assert [row[2] for row in rows] == [line.strip('"') for line in walk.stdout.splitlines()]
    assert len(rows) > 3
    assert all(str(row[1]).startswith("1.3.6.1") for row in rows)


async def test_a_table_carries_when_its_rows_came_and_the_uptime(way: Way, snmpd: SnmpdAgent) -> None:
    walked = (await collect(way, snmpd.address, plan(tables=(MODULES,)))).tables["modules"]
    assert sum(run.rows for run in walked.times) == len(walked.rows)
    assert all(isinstance(run.uptime, int) and run.at > 1e9 for run in walked.times)


async def test_what_net_snmp_lacks_is_none_with_a_reason(way: Way, snmpd: SnmpdAgent) -> None:
    outcome = await collect(
        way,
        snmpd.address,
        plan(
            Metric("name", (*SYSTEM, 5, 0), Kind.TEXT), Metric("no", (*SYSTEM, 55, 0)), Metric("inst", (*SYSTEM, 5, 1))
        ),
    )
    assert (outcome.status, outcome.values) == (Status.OK, {"name": "agent-under-test", "no": None, "inst": None})
    assert set(outcome.missing.values()) <= {"noSuchObject", "noSuchInstance", "noSuchName"}
    assert set(outcome.missing) == {"no", "inst"}


async def test_a_table_at_the_end_of_the_mib_ends(way: Way) -> None:
    values = {(*SYSTEM, 3, 0): rfc1902.TimeTicks(77)} | {
        (*MINE, column, row): rfc1902.Counter32(column * 1000 + row) for column in (1, 2) for row in range(1, 200)
    }
    spec = TableSpec("t", tuple(Metric(f"c{n}", (*MINE, n), Kind.COUNTER) for n in (1, 2)))
    async with PysnmpAgent(values) as agent:
        outcome = await collect(way, agent.address, plan(tables=(spec,)))
    expected = [[str(row), 1000 + row, 2000 + row] for row in range(1, 200)]
    assert (outcome.status, outcome.error, outcome.tables["t"].rows) == (Status.OK, "", expected)


async def test_every_type_of_pysnmps_agent_survives(way: Way) -> None:
    wire = {
        1: (rfc1902.Integer32(-(2**31)), -(2**31)),
        2: (rfc1902.Counter32(2**32 - 1), 2**32 - 1),
        3: (rfc1902.Gauge32(2**32 - 1), 2**32 - 1),
        4: (rfc1902.TimeTicks(2**32 - 1), 2**32 - 1),
        5: (rfc1902.OctetString(b"\xff\x00\xfe"), b"\xff\x00\xfe"),
        6: (rfc1902.IpAddress("10.1.2.3"), b"\x0a\x01\x02\x03"),
        7: (rfc1902.ObjectIdentifier((1, 3, 6, 1, 2**32 - 1)), "1.3.6.1.4294967295"),
        8: (rfc1902.Opaque(b"\x9f\x78\x04\x3f\xc0\x00\x00"), 1.5),
        9: (rfc1902.OctetString(b""), b""),
    }
    if way.credential is not V1:  # v1 has no Counter64
        wire[10] = (rfc1902.Counter64(2**64 - 1), 2**64 - 1)
    async with PysnmpAgent({(*MINE, n, 0): value for n, (value, _) in wire.items()}) as agent:
        outcome = await collect(way, agent.address, plan(*(Metric(str(n), (*MINE, n, 0)) for n in wire)))
    assert (outcome.status, outcome.values) == (Status.OK, {str(n): value for n, (_, value) in wire.items()})


async def test_a_hole_in_a_table_is_none(way: Way) -> None:
    oids: list[Oid] = [(*MINE, 1, row) for row in (1, 2, 3)] + [(*MINE, 2, row) for row in (1, 3)]
    spec = TableSpec("t", tuple(Metric(f"c{n}", (*MINE, n), Kind.INTEGER) for n in (1, 2)))
    values = {(*SYSTEM, 3, 0): rfc1902.TimeTicks(77)} | {oid: rfc1902.Integer32(oid[-1]) for oid in oids}
    async with PysnmpAgent(values) as agent:
        outcome = await collect(way, agent.address, plan(tables=(spec,)))
    assert outcome.tables["t"].rows == [["1", 1, 1], ["2", 2, None], ["3", 3, 3]]


async def test_silence_is_a_time_out(way: Way) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        outcome = await collect(way, deaf.getsockname(), SYSTEM_GROUP, timeout_s=0.2, retries=1)
    assert (outcome.status, outcome.requests, outcome.values) == (Status.TIMEOUT, 2, {})


async def test_the_deadline_holds(way: Way, snmpd: SnmpdAgent) -> None:
    async with way.open() as engine:
        agent = Agent(("127.0.0.1", free_udp_port()), way.credential, Limits(timeout_s=30, retries=5))
        poll = Collector(engine, Memory()).collect(agent, SYSTEM_GROUP, asyncio.get_running_loop().time() + 0.3)
        outcome = await asyncio.wait_for(poll, 10)
    assert outcome.status in (Status.TIMEOUT, Status.UNREACHABLE)  # pysnmp hears no ICMP


@pytest.mark.parametrize("engine", ["wire", "pysnmp"])
async def test_a_wrong_community_is_silence(engine: str, snmpd: SnmpdAgent) -> None:
    way = Way(engine, Community(Secret("not-this-one")))
    outcome = await collect(way, snmpd.address, SYSTEM_GROUP, timeout_s=0.2, retries=0)
    assert outcome.status is Status.TIMEOUT


@pytest.mark.parametrize("engine", ["wire", "pysnmp"])
async def test_a_view_hides_what_is_outside_it(engine: str, snmpd: SnmpdAgent) -> None:
    outcome = await collect(Way(engine, Community(Secret("narrow"))), snmpd.address, SYSTEM_GROUP)
    assert (outcome.status, outcome.missing["name"]) == (Status.OK, "noSuchObject")
    assert isinstance(outcome.values["uptime"], int)


@pytest.mark.parametrize("user", [UsmUser("plain"), *PAIRS], ids=lambda user: user.user)
async def test_v3_users_of_net_snmp_are_let_in(user: UsmUser, snmpd: SnmpdAgent) -> None:
    outcome = await collect(Way("wire", user), snmpd.address, SYSTEM_GROUP)
    assert (outcome.status, outcome.values["name"], outcome.requests) == (Status.OK, "agent-under-test", 2)


@pytest.mark.parametrize("user", PAIRS[:: len(PrivProtocol) + 1], ids=lambda user: user.user)
async def test_v3_users_of_net_snmp_are_let_in_by_pysnmp(user: UsmUser, snmpd: SnmpdAgent) -> None:
    assert (await collect(Way("pysnmp", user), snmpd.address, SYSTEM_GROUP)).status is Status.OK


async def test_v3_users_of_pysnmps_agent_are_let_in() -> None:
    uptime = (*SYSTEM, 3, 0)
    async with PysnmpAgent({uptime: rfc1902.TimeTicks(77)}, PAIRS) as agent:
        outcomes = [
            await collect(Way("wire", user), agent.address, plan(Metric("uptime", uptime, Kind.TICKS)))
            for user in PAIRS
        ]
    assert [outcome.values for outcome in outcomes] == [{"uptime": 77}] * len(PAIRS)


@pytest.mark.parametrize(
    ("user", "words"),
    [
        (UsmUser("nobody"), "unknown user"),
        (UsmUser("sha1-none", AuthProtocol.SHA1, Secret("another-passphrase")), "wrong digest"),
        (UsmUser("sha1-none", AuthProtocol.SHA256, KEY), "wrong digest"),
        (UsmUser("sha1-none", AuthProtocol.SHA1, KEY, PrivProtocol.AES128, KEY), "unsupported security level"),
    ],
    ids=["unknown user", "wrong key", "wrong protocol", "no privacy there"],
)
@pytest.mark.parametrize("engine", ["wire", "pysnmp"])
async def test_v3_users_that_are_not_let_in_are_auth(engine: str, user: UsmUser, words: str, snmpd: SnmpdAgent) -> None:
    outcome = await collect(Way(engine, user), snmpd.address, SYSTEM_GROUP)
    assert (outcome.status, outcome.requests < 3, bool(outcome.error)) == (Status.AUTH, True, True)
    assert engine == "pysnmp" or words in outcome.error


@pytest.mark.parametrize("wrong", ["aes128", "des"])
async def test_a_wrong_priv_key_is_auth_though_net_snmp_keeps_silent(wrong: str, snmpd: SnmpdAgent) -> None:
    user = UsmUser(f"sha1-{wrong}", AuthProtocol.SHA1, KEY, PrivProtocol(wrong), Secret("another-passphrase"))
    outcome = await collect(Way("wire", user), snmpd.address, SYSTEM_GROUP, timeout_s=0.2, retries=0)
    assert (outcome.status, "another priv_key or priv_protocol" in outcome.error) == (Status.AUTH, True)


@pytest.mark.parametrize("forgetful", [False, True], ids=["reboot", "new engine ID"])
async def test_net_snmp_is_polled_across_a_restart_without_a_failure(forgetful: bool, tmp_path: Path) -> None:
    async with Way("wire", V3).open() as engine:
        with SnmpdAgent(tmp_path) as agent:
            loop, collector = asyncio.get_running_loop(), Collector(engine, Memory())
            asked = Agent(agent.address, V3, Limits(timeout_s=5.0))
            outcomes = [await collector.collect(asked, SYSTEM_GROUP, loop.time() + 30)]
            agent.restart(forgetful=forgetful)
            outcomes.append(await collector.collect(asked, SYSTEM_GROUP, loop.time() + 30))
    assert [(outcome.status, outcome.requests) for outcome in outcomes] == [(Status.OK, 2), (Status.OK, 2)]
    assert isinstance(engine, WireEngine)
    assert (engine.counters.resyncs, engine.counters.engine_id_changes) == (not forgetful, forgetful)


@pytest.mark.parametrize("engine", ["wire", "pysnmp"])
async def test_a_v3_level_that_the_view_does_not_allow_is_refused_with_its_cause(
    engine: str, snmpd: SnmpdAgent
) -> None:
    outcome = await collect(Way(engine, UsmUser("shaonly")), snmpd.address, SYSTEM_GROUP)
    assert (outcome.status, "authorizationError" in outcome.error) == (Status.REFUSED, True)


@pytest.mark.parametrize("kind", ["wire", "pysnmp"])
async def test_two_users_of_one_name_with_different_keys_do_not_mix(kind: str, snmpd: SnmpdAgent) -> None:
    good, bad = UsmUser("shaonly", AuthProtocol.SHA1, KEY), UsmUser("shaonly", AuthProtocol.SHA1, Secret("wrong-words"))
    async with Way(kind, good).open() as engine:
        deadline = asyncio.get_running_loop().time() + 30
        collector = Collector(engine, Memory())
        outcomes = [
            await collector.collect(Agent(snmpd.address, user, Limits(timeout_s=5)), SYSTEM_GROUP, deadline)
            for user in (good, bad, good)
        ]
    assert [outcome.status for outcome in outcomes] == [Status.OK, Status.AUTH, Status.OK]


def test_a_missing_snmpd_fails_with_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(RuntimeError, match="apt-get install snmpd"), SnmpdAgent(tmp_path):
        pass
