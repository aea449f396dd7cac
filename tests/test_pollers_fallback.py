"""Several credentials for a device: tried in turn where one is not accepted, by turns where a device is silent."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from streampoll.config.credentials import Credentials
from streampoll.config.keeping import Keeping
from streampoll.config.recipe import Recipe
from streampoll.config.secret import Secret
from streampoll.config.secret_source import SecretSource
from streampoll.config.settings import PingSettings, Settings, SnmpSettings
from streampoll.model import Outcome, Status, Target
from streampoll.pollers.fallback import LOYAL_POLLS, MOST_TRIED, UNKNOWN, Standing, in_turn, refused, silent
from streampoll.pollers.learned import DeviceMemory
from streampoll.pollers.protocols import make_router
from streampoll.pollers.reach import Reach
from streampoll.pollers.router import Around, Protocol, Router
from streampoll.snmp.credential import Community
from streampoll.snmp.plan import CollectPlan, Kind, Metric
from tests.snmp_peer_support import ScriptedPeer
from tests.snmp_peer_support import silent as mute
from tests.snmp_support import SnmpdAgent
from tests.test_credentials_sources import program
from tests.waiting import eventually_async

OK, AUTH, TIMEOUT = Outcome(Status.OK), Outcome(Status.AUTH, "wrong password"), Outcome(Status.TIMEOUT, "no answer")
NAMES = ("a", "b", "c")


@dataclass(frozen=True)
class Plan:
    profile: str = "plan"


@dataclass
class FakePoller:
    """Answers by credential, and notes which it was given."""

    answers: Mapping[Any, Outcome]
    given: list[Any] = field(default_factory=list)
    wall_limit_s: float = 5.0

    async def poll(self, target: Target, plan: Any, credential: Any, deadline: float) -> Outcome:
        self.given.append(credential)
        answer = self.answers[credential]
        return Outcome(answer.status, answer.error, requests=1)

    async def close(self) -> None:
        pass


@dataclass
class Clock:
    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Bench:
    """A router whose poller answers as it is told."""

    answers: Mapping[Any, Outcome]
    credentials: Any = field(default_factory=lambda: Credentials.of("fake", {name: name for name in NAMES}))
    eager: bool = False
    protocol: dict[str, Any] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.poller = FakePoller(self.answers)
        around = Around(
            self.credentials, Reach(PingSettings(explain_silence=False)), DeviceMemory(self.clock), self.eager
        )
        self.router = Router({Plan: Protocol("fake", lambda: self.poller, **self.protocol)}, {"plan": Plan()}, around)

    async def poll(self, credential: str = "a, b, c", device: str = "dev") -> Outcome:
        target = Target(device, "10.0.0.1", 0, "plan", credential, {})
        return await self.router.poll(target, asyncio.get_running_loop().time() + 5)

    def taken(self) -> list[Any]:
        """Which credentials were given since this was last asked."""
        given, self.poller.given[:] = list(self.poller.given), []
        return given


async def test_the_next_credential_is_tried_where_one_is_not_accepted() -> None:
    bench = Bench({"a": AUTH, "b": AUTH, "c": OK})

    outcome = await bench.poll()

    assert (outcome.status, outcome.requests, bench.taken()) == (Status.OK, 3, ["a", "b", "c"])


async def test_the_one_that_worked_is_tried_first_from_then_on_and_for_that_device_alone() -> None:
    bench = Bench({"a": AUTH, "b": OK, "c": AUTH})
    await bench.poll()
    bench.taken()

    await bench.poll()
    assert bench.taken() == ["b"]
    await bench.poll(device="other")
    assert bench.taken() == ["a", "b"]


async def test_the_one_that_worked_gives_way_when_it_is_not_accepted_any_more() -> None:
    bench = Bench({"a": AUTH, "b": OK, "c": AUTH})
    await bench.poll()
    bench.poller.answers = {"a": AUTH, "b": AUTH, "c": OK}
    bench.taken()

    assert [(await bench.poll()).status, (await bench.poll()).status] == [Status.OK, Status.OK]
    assert bench.taken() == ["b", "a", "c", "c"]


async def test_when_none_is_accepted_each_is_named_with_its_cause() -> None:
    bench = Bench(dict.fromkeys(NAMES, AUTH))

    outcome = await bench.poll()

    assert outcome.status is Status.AUTH
    assert outcome.error == (
        "none of 3 credentials was accepted: a: wrong password; b: wrong password; c: wrong password"
    )


@pytest.mark.parametrize("credential", ["a", "a, b, c"])
async def test_after_two_rounds_of_refusals_there_is_a_pause_that_grows(credential: str) -> None:
    bench = Bench(dict.fromkeys(NAMES, AUTH))
    rounds = 0
    waits = []
    for _ in range(4 * 3600 // 60):
        outcome = await bench.poll(credential)
        assert outcome.status is Status.AUTH
        if bench.taken():
            rounds += 1
            waits.append(bench.clock.now)
        bench.clock.now += 60

    pauses = [round(after - before) for before, after in pairwise(waits)]
    assert pauses[:5] == [60, 300, 600, 1200, 2400]
    assert set(pauses[5:]) == {3600}


async def test_a_pause_says_how_long_it_is() -> None:
    bench = Bench({"a": AUTH})
    for _ in range(2):
        await bench.poll("a")

    assert (await bench.poll("a")).error == "not asked: it refused a 2 times; next try in 300 s, or when one changes"


async def test_a_protocol_without_accounts_has_no_pause() -> None:
    bench = Bench({"a": AUTH}, protocol={"locks_out": False})
    for _ in range(5):
        await bench.poll("a")

    assert len(bench.taken()) == 5


async def test_a_secret_that_has_changed_is_tried_at_once_also_in_a_pause(tmp_path: Path) -> None:
    program(tmp_path / "vault", "echo x >> asked; cat secret")
    (tmp_path / "secret").write_text("old")
    source = SecretSource("command", words=("./vault",))
    recipe = Recipe({"word": source}, lambda secrets: secrets["word"], "fake")
    now = 0.0
    credentials = Credentials({"a": recipe}, Keeping(tmp_path, {"PATH": "/bin:/usr/bin"}), lambda: now)
    bench = Bench({Secret("old"): AUTH, Secret("new"): OK}, credentials)
    for _ in range(3):
        await bench.poll("a")
    (tmp_path / "secret").write_text("new")

    assert (await bench.poll("a")).status is Status.AUTH  # the vault was asked less than a minute ago
    now += 61
    assert (await bench.poll("a")).status is Status.OK
    assert (tmp_path / "asked").read_text() == "x\n" * 2
    assert [each.reveal() for each in bench.taken()] == ["old", "old", "new"]


async def test_a_refused_secret_that_has_changed_meanwhile_gets_its_try_in_the_same_poll(tmp_path: Path) -> None:
    program(tmp_path / "vault", "echo x >> asked; wc -l < asked")
    recipe = Recipe({"w": SecretSource("command", words=("./vault",))}, lambda secrets: secrets["w"].reveal(), "fake")
    now = 0.0
    bench = Bench({"1": AUTH, "2": OK}, Credentials({"a": recipe}, Keeping(tmp_path, {}), lambda: now))
    await bench.credentials.fetch("a")
    now += 61

    assert (await bench.poll("a")).status is Status.OK
    assert bench.taken() == ["1", "2"]


async def test_a_secret_that_can_not_be_read_does_not_keep_the_others_from_their_try() -> None:
    recipes = {"a": Recipe({"w": SecretSource("env", "GONE")}, dict, "fake"), "b": Recipe({}, lambda _: "b", "fake")}
    bench = Bench({"b": OK}, Credentials(recipes, Keeping(Path(), {})))

    assert (await bench.poll("a, b")).status is Status.OK
    outcome = await bench.poll("a")
    assert (outcome.status, "GONE is not set" in outcome.error) == (Status.CONFIG, True)


async def test_silence_costs_one_attempt_a_poll_however_many_credentials_there_are() -> None:
    bench = Bench(dict.fromkeys(NAMES, TIMEOUT), protocol={"silence_refuses": True})

    tried = []
    for _ in range(7):
        await bench.poll()
        tried.append(bench.taken())

    assert tried == [["a"], ["b"], ["c"], ["a"], ["b"], ["c"], ["a"]]


async def test_a_device_that_answered_is_asked_with_what_worked_at_least_every_second_poll() -> None:
    bench = Bench({"a": TIMEOUT, "b": OK, "c": TIMEOUT}, protocol={"silence_refuses": True})
    await bench.poll()
    await bench.poll()
    bench.poller.answers = dict.fromkeys(NAMES, TIMEOUT)
    bench.taken()
    for _ in range(LOYAL_POLLS + 6):
        await bench.poll()

    assert bench.taken() == [*"b" * LOYAL_POLLS, "a", "b", "c", "b", "a", "b"]


async def test_silence_is_no_refusal_where_refusals_are_said() -> None:
    bench = Bench(dict.fromkeys(NAMES, TIMEOUT))
    for _ in range(9):
        await bench.poll()

    assert Counter(bench.taken()) == {"a": 9}


async def test_a_single_poll_tries_every_credential_on_silence() -> None:
    bench = Bench({"a": TIMEOUT, "b": TIMEOUT, "c": OK}, eager=True, protocol={"silence_refuses": True})

    assert (await bench.poll()).status is Status.OK
    assert bench.taken() == ["a", "b", "c"]


async def test_a_device_without_one_is_polled_without_where_that_can_be() -> None:
    bench = Bench({None: OK}, Credentials.of("other", {"default": 1}), protocol={"optional": True})

    assert (await bench.poll("")).status is Status.OK
    assert bench.taken() == [None]


def test_a_poll_never_tries_more_than_four() -> None:
    names = tuple("abcdefgh")
    assert len(in_turn(names, UNKNOWN, False)) == MOST_TRIED
    assert len(in_turn(names, Standing("h"), True)) == MOST_TRIED


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("worked", ["", "b"])
def test_every_credential_has_its_turn(count: int, worked: str) -> None:
    names: Sequence[str] = "abcdefgh"[:count]
    standing, first = Standing(worked), []
    for _ in range(LOYAL_POLLS + 2 * count):
        first.append(in_turn(names, standing, True)[0])
        standing = silent(standing)
    assert set(first) == set(names)


def test_of_many_credentials_each_has_its_round() -> None:
    standing, tried = UNKNOWN, set[str]()
    for _ in range(3):
        tried |= set(in_turn("abcdefghij", standing, False))
        standing = refused(standing, 0.0, True)
    assert tried == set("abcdefghij")


async def test_a_device_that_names_another_credential_is_not_paused_any_more() -> None:
    bench = Bench({"a": AUTH, "b": OK})
    for _ in range(3):
        await bench.poll("a")

    assert (await bench.poll("b")).status is Status.OK


async def test_an_unknown_credential_is_not_taken_for_none() -> None:
    bench = Bench({None: OK}, protocol={"optional": True})

    assert (await bench.poll("typo")).error == "credential 'typo' is not known to this worker; known: a, b, c"


async def test_a_secret_that_takes_too_long_does_not_hold_the_poll_up(tmp_path: Path) -> None:
    program(tmp_path / "vault", "sleep 1; echo word")
    recipe = Recipe({"w": SecretSource("command", words=("./vault",))}, lambda secrets: secrets["w"].reveal(), "fake")
    bench = Bench({"word": OK}, Credentials({"a": recipe}, Keeping(tmp_path, {"PATH": "/bin:/usr/bin"})))
    bench.poller.wall_limit_s = 0.1

    outcome = await bench.poll("a")

    assert (outcome.status, outcome.error) == (Status.CONFIG, "credential 'a': its secret was not read in time")
    await eventually_async(lambda: bench.credentials.held("a") is not None)
    assert (await bench.poll("a")).status is Status.OK


def test_pauses_are_bounded_however_long_a_device_refuses() -> None:
    standing = UNKNOWN
    for _ in range(2000):
        standing = refused(standing, 0.0, True)
    assert standing.pause_until == 3600


# -- over SNMP


@pytest_asyncio.fixture
async def snmp() -> AsyncIterator[Router]:
    known = {"wrong": Community(Secret("wrong")), "public": Community(Secret("public"))}
    plan = CollectPlan("names", (Metric("name", (1, 3, 6, 1, 2, 1, 1, 5, 0), Kind.TEXT),))
    settings = Settings(snmp=SnmpSettings(timeout_s=0.2, retries=0), ping=PingSettings(explain_silence=False))
    router = make_router(settings, {"names": plan}, Credentials.of("snmp", known))
    yield router
    await router.close()


async def test_a_wrong_community_gives_way_at_the_next_poll(snmp: Router, tmp_path: Path) -> None:
    with SnmpdAgent(tmp_path) as agent:
        target = Target("d", "127.0.0.1", agent.port, "names", "wrong public", {})
        outcomes = [await snmp.poll(target, asyncio.get_running_loop().time() + 5) for _ in range(3)]

    assert [outcome.status for outcome in outcomes] == [Status.TIMEOUT, Status.OK, Status.OK]


async def test_a_dead_device_with_two_communities_costs_what_one_with_one_costs(snmp: Router) -> None:
    async with ScriptedPeer(mute) as peer:
        for _ in range(4):
            target = Target("d", *peer.address, "names", "wrong public", {})
            await snmp.poll(target, asyncio.get_running_loop().time() + 5)

    assert len(peer.asked) == 4
