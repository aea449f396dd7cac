"""The SNMP poller: names, overrides, host names and engines; and that no secret shows."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest
import pytest_asyncio

from streampoll.config.credentials import Credentials
from streampoll.config.secret import Secret
from streampoll.config.settings import Settings, SnmpSettings
from streampoll.errors import ConfigError, Fault
from streampoll.model import Outcome, Scalar, Status, Target
from streampoll.pollers.protocols import make_router
from streampoll.pollers.resolver import Resolver, canonical
from streampoll.pollers.router import Router
from streampoll.pollers.snmp import SnmpPoller
from streampoll.snmp.courier import Courier
from streampoll.snmp.credential import AuthProtocol, Community, PrivProtocol, UsmUser, Version
from streampoll.snmp.plan import CollectPlan, Kind, Metric, TableSpec
from tests.snmp_peer_support import ScriptedPeer, in_turn, silent
from tests.snmp_support import V3_KEY, SnmpdAgent
from tests.snmp_v3_peer_support import OTHER_ID, V3Peer

MODULE = (1, 3, 6, 1, 2, 1, 1, 9, 1)
MODULES = TableSpec("modules", (Metric("id", (*MODULE, 2), Kind.OID), Metric("since", (*MODULE, 4), Kind.TICKS)))
PLANS = {
    "names": CollectPlan("names", (Metric("name", (1, 3, 6, 1, 2, 1, 1, 5, 0), Kind.TEXT),)),
    "modules": CollectPlan("modules", tables=(MODULES,)),
}
WORD = "s3cret-community-word"
KEY = Secret(V3_KEY)
KNOWN = {
    "public": Community(Secret("public")),
    "hidden": Community(Secret(WORD)),
    "user": UsmUser("plain"),
    "strong": UsmUser("strong", AuthProtocol.SHA512, KEY, PrivProtocol.AES128, KEY),
}
CREDENTIALS = Credentials.of("snmp", KNOWN)


@pytest.fixture(scope="module")
def snmpd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SnmpdAgent]:
    strong = f"createUser strong SHA-512 {V3_KEY} AES {V3_KEY}\nrouser strong priv\n"
    with SnmpdAgent(tmp_path_factory.mktemp("snmpd"), extra=strong) as agent:
        yield agent


@pytest_asyncio.fixture
async def poller() -> AsyncIterator[Router]:
    poller = routed()
    yield poller
    await poller.close()


def routed(profiles: Mapping[str, CollectPlan] = PLANS, credentials: Credentials = CREDENTIALS, **snmp: Any) -> Router:
    settings = Settings(snmp=SnmpSettings(**{"timeout_s": 5.0, **snmp}))
    return make_router(settings, profiles, credentials)


async def poll(
    poller: Router,
    port: int,
    address: str = "127.0.0.1",
    profile: str = "names",
    credential: str = "public",
    **overrides: Scalar,
) -> Outcome:
    named = {f"snmp.{name}": value for name, value in overrides.items()}
    target = Target("router-1", address, port, profile, credential, named)
    return await poller.poll(target, asyncio.get_running_loop().time() + 20)


@pytest.mark.parametrize("credential", ["public", "user"])
async def test_a_target_is_polled_by_its_names(poller: Router, snmpd: SnmpdAgent, credential: str) -> None:
    outcome = await poll(poller, snmpd.port, credential=credential)
    assert (outcome.status, outcome.values) == (Status.OK, {"name": "agent-under-test"})


async def test_a_host_name_is_resolved(poller: Router, snmpd: SnmpdAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def getaddrinfo(host: str, *_: object, **__: object) -> list[object]:
        asked.append(host)
        return [(2, 2, 17, "", ("127.0.0.1", 0))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    outcomes = [await poll(poller, snmpd.port, "router.example") for _ in range(3)]
    assert [outcome.status for outcome in outcomes] == [Status.OK] * 3
    assert asked == ["router.example"]


async def test_a_name_without_an_address_is_unreachable(poller: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    async def getaddrinfo(*_: object, **__: object) -> list[object]:
        raise OSError(-2, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    outcome = await poll(poller, 161, "router.invalid")
    assert (outcome.status, "router.invalid" in outcome.error) == (Status.UNREACHABLE, True)
    outcome = await poll(poller, 161, "router.invalid", retries="many")
    assert (outcome.status, "snmp.retries" in outcome.error) == (Status.CONFIG, True)  # whatever name servers say


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("router", None),
        ("10.1", None),
        ("fe80::1%lo", None),
    ],
)
def test_numeric_addresses_have_one_form(written: str, address: str | None) -> None:
    assert canonical(written) == address


async def test_numeric_addresses_need_no_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", None)
    assert await Resolver().resolve("10.0.0.1") == "10.0.0.1"


async def test_an_unknown_profile_is_named_with_those_known(poller: Router) -> None:
    outcome = await poll(poller, 161, profile="nmaes")
    assert (outcome.status, outcome.error) == (
        Status.CONFIG,
        "profile 'nmaes' is not known to this worker; known: modules, names",
    )


async def test_an_unknown_credential_is_named_with_those_known(poller: Router) -> None:
    outcome = await poll(poller, 161, credential="pubic")
    assert (outcome.status, outcome.error) == (
        Status.CONFIG,
        "credential 'pubic' is not known to this worker; known: hidden, public, strong, user",
    )


async def test_a_credential_whose_secret_can_not_be_read_says_so() -> None:
    class Broken(Credentials):
        def held(self, name: str) -> None:
            return None

        def __getitem__(self, name: str) -> Any:
            raise ConfigError([Fault(f"credential '{name}'", "SNMP_COMMUNITY is not set")])

    outcome = await poll(routed(credentials=Broken.of("snmp", KNOWN)), 161)
    assert (outcome.status, "SNMP_COMMUNITY is not set" in outcome.error) == (Status.CONFIG, True)


async def test_overrides_of_time_out_and_retries_are_applied(poller: Router) -> None:
    async with ScriptedPeer(silent) as peer:
        outcome = await asyncio.wait_for(poll(poller, peer.address[1], timeout_s=0.02, retries=3), 3)
    assert (outcome.status, outcome.requests) == (Status.TIMEOUT, 4)


async def test_a_poll_ends_by_its_protocols_wall_limit() -> None:
    poller = routed(wall_limit_s=0.05)
    async with ScriptedPeer(silent) as peer:
        outcome = await asyncio.wait_for(poll(poller, peer.address[1]), 3)
    await poller.close()
    assert outcome.status is Status.TIMEOUT


async def test_the_first_credential_of_the_protocol_is_used(snmpd: SnmpdAgent) -> None:
    class Mixed(Credentials):
        def protocol(self, name: str) -> str:
            return {"shell": "ssh"}.get(name) or super().protocol(name)

    poller = routed(credentials=Mixed.of("snmp", KNOWN))
    outcomes = [await poll(poller, snmpd.port, credential=names) for names in ("shell, public", "shell")]
    await poller.close()
    assert [outcome.status for outcome in outcomes] == [Status.OK, Status.CONFIG]
    assert outcomes[1].error == "no credential for snmp among 'shell'"


async def test_an_override_of_the_version_is_applied(poller: Router) -> None:
    async with ScriptedPeer(silent) as peer:
        for version in (1, "2c"):
            await poll(poller, peer.address[1], timeout_s=0.02, retries=0, version=version)
        versions = [asked.data[4] for asked in peer.asked]
    assert versions == [Version.V1 - 1, Version.V2C - 1]


@pytest.mark.parametrize(
    "overrides",
    [
        {"timeout_s": "2s"}, {"timeout_s": 0}, {"retries": -1}, {"retries": 1.5}, {"window": True}, {"version": "4"},
        {"allow_boots_back": 1}, {"follow_engine_id": "no"},
    ],
)  # fmt: skip
async def test_overrides_that_make_no_sense_are_told(poller: Router, overrides: dict[str, Scalar]) -> None:
    outcome = await poll(poller, 161, **overrides)  # type: ignore[arg-type]
    assert (outcome.status, f"snmp.{next(iter(overrides))}" in outcome.error) == (Status.CONFIG, True)


async def test_v3_switches_of_a_device_are_applied(poller: Router) -> None:
    async with V3Peer(UsmUser("plain")) as peer:
        for port in (peer.address[1],) * 2:
            outcome = await poll(poller, port, credential="user", timeout_s=0.5, follow_engine_id=False)
            peer.engine_id = OTHER_ID
    assert (outcome.status, "snmp.follow_engine_id" in outcome.error) == (Status.AUTH, True)


@pytest.mark.parametrize(("credential", "discoveries"), [("public", 0), ("strong", 1)])
async def test_replies_are_kept_under_their_size_in_every_version(
    poller: Router, snmpd: SnmpdAgent, credential: str, discoveries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    read = Courier._on_datagram

    def noted(self: Courier, data: bytes, source: tuple[Any, ...], at: float) -> None:
        sizes.append(len(data))
        read(self, data, source, at)

    monkeypatch.setattr(Courier, "_on_datagram", noted)
    outcome = await poll(poller, snmpd.port, profile="modules", credential=credential, max_reply_bytes=800)
    assert (outcome.status, len(outcome.tables["modules"].rows) > 8) == (Status.OK, True)
    assert 600 < sizes[discoveries] <= 800  # the first rows; the last reply goes on into other tables


async def test_all_jobs_share_an_agents_window(poller: Router) -> None:
    async with ScriptedPeer(in_turn(silent)) as peer:
        polls = [asyncio.create_task(poll(poller, peer.address[1], timeout_s=0.3, retries=0)) for _ in range(4)]
        await asyncio.wait(polls, timeout=0.15)
        in_flight = len(peer.asked)
        await asyncio.gather(*polls)
    assert in_flight == 2


@pytest.mark.parametrize("engine", ["wire", "pysnmp"])
async def test_no_secret_shows_in_outcomes_or_logs(
    engine: str, snmpd: SnmpdAgent, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    poller = routed(engine=engine)
    outcome = await poll(poller, snmpd.port, credential="hidden", timeout_s=0.1, retries=0)
    snmp = poller.poller(CollectPlan)
    await poller.close()
    shown = f"{outcome!r} {outcome.error} {caplog.text} {CREDENTIALS!r} {vars(poller)!r} {vars(snmp)!r}"
    assert outcome.status is Status.TIMEOUT
    assert WORD not in shown


def test_a_process_that_polls_v3_never_imports_pysnmp() -> None:
    check = """
import asyncio, sys
from streampoll.config.settings import SnmpSettings
from streampoll.model import Status, Target
from streampoll.pollers.snmp import SnmpPoller
from streampoll.snmp.credential import UsmUser
from streampoll.snmp.plan import CollectPlan, Metric

async def main():
    poller = SnmpPoller(SnmpSettings())
    plan = CollectPlan("names", (Metric("name", (1, 3, 6, 1, 2, 1, 1, 5, 0)),))
    deadline = asyncio.get_running_loop().time() + 9
    outcome = await poller.poll(Target("router-1", "127.0.0.1", 1, "names", "user", {}), plan, UsmUser("u"), deadline)
    await poller.close()
    assert outcome.status is Status.UNREACHABLE, outcome

asyncio.run(main())
sys.exit(any(name.startswith("pysnmp") for name in sys.modules))
"""
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


async def test_the_counters_are_unknown_before_the_first_request(poller: Router, snmpd: SnmpdAgent) -> None:
    snmp = SnmpPoller(SnmpSettings())
    assert (snmp.counters, snmp.receive_drops) == (None, None)
    await poll(poller, snmpd.port)
    polled = poller.poller(CollectPlan)
    assert isinstance(polled, SnmpPoller)
    assert polled.counters is not None
    assert (polled.counters.sent, polled.counters.received, polled.receive_drops) == (1, 1, 0)
