"""Custom pollers: what they are given, and that whatever they do ends in time and as an outcome."""

import asyncio
import base64
import re
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from streampoll.app.watches import watch_threads
from streampoll.config.credentials import Credentials
from streampoll.config.keeping import Keeping
from streampoll.config.recipe import Recipe
from streampoll.config.secret import Secret
from streampoll.config.settings import CustomSettings, PingSettings, Settings, SnmpSettings
from streampoll.custom import Clients, CustomCredential, CustomTarget, Outcome, PollFailed, Status, Table
from streampoll.custom.plan import CustomPlan
from streampoll.model import Target
from streampoll.pollers.custom import CustomPoller
from streampoll.pollers.protocols import make_router
from streampoll.pollers.threads import AllBusy, Threads
from streampoll.snmp.credential import Community
from streampoll.snmp.plan import CollectPlan, Kind, Metric
from tests.custom_support import serve_pollers
from tests.snmp_support import SnmpdAgent
from tests.waiting import eventually_async

SECRET = "s3cret-of-the-ups"
OK = Outcome(Status.OK, values={"charge": 98})
NAME_OID = "1.3.6.1.2.1.1.5.0"
RECIPES = {
    "own": Recipe({}, lambda _: CustomCredential({"user": "u"}, {"password": Secret(SECRET)}), "it"),
    "other": Recipe({}, lambda _: CustomCredential({"user": "v"}, {"password": Secret("another-one")}), "it"),
    "public": Recipe({}, lambda _: Community(Secret("public")), "snmp"),
}

Poll = Callable[..., Any]
Run = Callable[..., Awaitable[Outcome]]


@pytest.fixture
async def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Run]:
    """Poll a device by a function as a custom poller."""
    routers = []

    async def poll(
        function: Poll, credential: str = "own", port: int = 0, limit_s: float = 5.0, times: int = 1, **options: Any
    ) -> Outcome:
        serve_pollers(tmp_path, monkeypatch, {"it": function})
        plans = {
            "plan": CustomPlan("plan", "it", options),
            "names": CollectPlan("names", (Metric("name", (1, 3, 6, 1, 2, 1, 1, 5, 0), Kind.TEXT),)),
        }
        settings = Settings(
            custom=CustomSettings(limit_s, threads=2), snmp=SnmpSettings(timeout_s=1.0),
            ping=PingSettings(explain_silence=False),
        )  # fmt: skip
        router = make_router(settings, plans, Credentials(RECIPES, Keeping(Path(), {})))
        routers.append(router)
        target = Target("ups-1", "127.0.0.1", port, "plan", credential, {})
        return [await router.poll(target, asyncio.get_running_loop().time() + 30) for _ in range(times)][-1]

    yield poll
    for router in routers:
        await router.close()


async def test_a_poller_gets_the_device_its_options_and_its_credential(run: Run) -> None:
    async def poll(target: CustomTarget, credentials: Any, clients: Clients) -> Outcome:
        own = credentials.own
        return Outcome(Status.OK, values={
            "device": target.device, "ups": target.options["ups"], "user": own.values["user"],
            "fits": own.secrets["password"].reveal() == SECRET, "limit": target.limit_s,
        })  # fmt: skip

    outcome = await run(poll, ups="rack1")

    assert outcome.values["limit"] == pytest.approx(5.0, abs=0.5)
    assert {**outcome.values, "limit": 0} == {"device": "ups-1", "ups": "rack1", "user": "u", "fits": True, "limit": 0}


async def test_a_device_without_a_credential_is_polled_without(run: Run) -> None:
    async def poll(target: CustomTarget, credentials: Any, clients: Clients) -> Outcome:
        return Outcome(Status.OK, values={"none": credentials.own is None})

    assert (await run(poll, credential="public")).values == {"none": True}


async def test_the_next_credential_is_tried_where_one_is_not_accepted(run: Run) -> None:
    async def poll(target: CustomTarget, credentials: Any, clients: Clients) -> Outcome:
        if credentials.own.values["user"] == "u":
            raise PollFailed(Status.AUTH, "access denied")
        return OK

    assert (await run(poll, credential="own, other")).status is Status.OK


async def test_snmp_goes_through_the_engine_of_the_process(run: Run, tmp_path: Path) -> None:
    async def poll(target: CustomTarget, credentials: Any, clients: Clients) -> Outcome:
        got = await clients.snmp.get(NAME_OID, "1.3.6.1.2.1.1.99.0")
        walked = await clients.snmp.walk("1.3.6.1.2.1.2.2.1.1")
        collected = await clients.collect("names")
        return Outcome(Status.OK, values={"got": str(got), "rows": len(walked), "name": collected.values["name"]})

    with SnmpdAgent(tmp_path / "agent") as agent:
        outcome = await run(poll, credential="own, public", port=agent.port)

    assert outcome.values["got"] == f"{{'{NAME_OID}': b'agent-under-test', '1.3.6.1.2.1.1.99.0': None}}"
    assert outcome.values["name"] == "agent-under-test"
    assert int(outcome.values["rows"]) >= 1  # type: ignore[arg-type]
    assert outcome.requests >= 3


async def test_a_device_that_does_not_answer_a_client_is_an_outcome(run: Run) -> None:
    async def poll(target: CustomTarget, credentials: Any, clients: Clients) -> Outcome:
        await clients.snmp.get(NAME_OID)
        return OK

    assert (await run(poll, credential="own, public", port=9)).status in (Status.TIMEOUT, Status.UNREACHABLE)
    outcome = await run(poll, credential="own", port=9)
    assert (outcome.status, outcome.error) == (Status.CONFIG, "no credential for snmp among 'own'")


async def test_a_client_runs_no_command_that_may_change_the_device(run: Run) -> None:
    async def poll(target: CustomTarget, credentials: Any, clients: Clients) -> Outcome:
        return Outcome(Status.OK, values={"said": await clients.ssh.run("rm -rf /")})

    outcome = await run(poll)
    assert outcome.status is Status.ERROR
    assert "'rm -rf /' may change the device" in outcome.error


# -- what goes wrong


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (None, "gave NoneType, not an Outcome"),
        ({"charge": 98}, "gave dict, not an Outcome"),
        (Outcome(7, values={"a": 1}), "gave status '7', which is none of a poller's"),  # type: ignore[arg-type]
        (Outcome(Status.EXPIRED, "late"), "which is none of a poller's"),
        (Outcome(Status.OK), "says ok and gave no value"),
        (replace(OK, values={"a": object()}), "gave values['a'] of type object, which can't be stored"),
        (replace(OK, values={"a": 1 << 64}), "gave values['a'] of type int"),
        (replace(OK, values={"a": "\ud800"}), "gave values['a'] of type str"),
        (replace(OK, values={5: 1}), "gave values with a name that is none: '5'"),
        (replace(OK, values=[1]), "gave values of type list, not a mapping"),
        (replace(OK, tables={"t": [[1]]}), "gave table 't' of type list, not a Table"),
        (
            replace(OK, tables={"t": Table(("a",), [[1, 2], [1]])}),
            "has not 2 cells: the index, then each column",
        ),
        (replace(OK, values={"a": f"x{SECRET}x"}), "gave a secret away among its values"),
        (replace(OK, values={"a": base64.b64encode(SECRET.encode())}), "gave a secret away among its values"),
        (
            replace(OK, tables={"t": Table(("a",), [["1", SECRET.encode()]])}),
            "gave a secret away among its values",
        ),
    ],
)
async def test_nonsense_is_an_error_that_says_what(run: Run, given: Any, error: str) -> None:
    async def poll(*_: object) -> Any:
        return given

    outcome = await run(poll)

    assert (outcome.status, outcome.values, outcome.tables) == (Status.ERROR, {}, {})
    assert outcome.error.startswith("poller 'it' ")
    assert error in outcome.error


@pytest.mark.parametrize("error", [ValueError(f"no such user u/{SECRET}"), SystemExit(3), asyncio.CancelledError()])
@pytest.mark.parametrize("blocking", [False, True])
async def test_a_poller_that_raises_is_an_error_without_a_secret(
    run: Run, error: BaseException, blocking: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def poll(*_: object) -> Outcome:
        raise error

    def block(*_: object) -> Outcome:
        raise error

    outcome = await run(block if blocking else poll, times=2)

    assert outcome.status is Status.ERROR
    assert outcome.error.startswith("poller 'it' raised ")
    assert SECRET not in outcome.error + caplog.text
    assert caplog.text.count("a bug in poller 'it'") == 1


async def test_a_secret_in_an_error_or_the_log_is_blacked_out(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")

    async def poll(target: CustomTarget, credentials: Any, clients: Clients) -> Outcome:
        clients.log.info("logging in with %s", credentials.own.secrets["password"].reveal())
        return Outcome(Status.REFUSED, f"no:\n {SECRET}", missing={"charge": SECRET})

    outcome = await run(poll)

    assert (outcome.error, outcome.missing) == ("no: …", {"charge": "…"})
    assert "device ups-1: logging in with …" in caplog.text
    assert SECRET not in caplog.text


async def test_a_poller_that_does_not_end_is_cancelled(run: Run) -> None:
    cancelled = asyncio.Event()

    async def poll(*_: object) -> Outcome:
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()
        return OK

    outcome = await run(poll, limit_s=0.05)

    assert outcome.status is Status.TIMEOUT
    assert re.fullmatch(r"poller 'it' did not end within 0\.0\d+ s", outcome.error)
    assert cancelled.is_set()


async def test_a_poller_that_ignores_its_cancellation_is_left_behind(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streampoll.pollers.custom._GRACE_S", 0.05)
    go = asyncio.Event()

    async def poll(*_: object) -> Outcome:
        while not go.is_set():
            try:
                await go.wait()
            except asyncio.CancelledError:
                continue
        return OK

    outcome = await asyncio.wait_for(run(poll, limit_s=0.05), 5)
    go.set()
    assert outcome.status is Status.TIMEOUT


# -- blocking


async def test_a_plain_function_runs_in_a_thread_and_may_use_the_clients(run: Run, tmp_path: Path) -> None:
    def poll(target: CustomTarget, credentials: Any, clients: Clients) -> Outcome:
        name = clients.wait(clients.snmp.get(NAME_OID))[NAME_OID]
        return Outcome(Status.OK, values={"name": name, "thread": threading.current_thread().name})

    with SnmpdAgent(tmp_path / "agent") as agent:
        outcome = await run(poll, credential="own, public", port=agent.port)

    assert outcome.values == {"name": b"agent-under-test", "thread": "poller 0"}


async def test_a_coroutine_that_says_it_blocks_runs_in_a_thread(run: Run) -> None:
    async def poll(*_: object) -> Outcome:
        await asyncio.sleep(0)
        return Outcome(Status.OK, values={"thread": threading.current_thread().name})

    poll.blocking = True  # type: ignore[attr-defined]

    assert (await run(poll)).values == {"thread": "poller 0"}


async def test_threads_that_do_not_come_back_are_no_more_than_allowed(run: Run) -> None:
    go = threading.Event()

    def poll(*_: object) -> Outcome:
        go.wait(20)
        return OK

    began = time.monotonic()
    outcome = await run(poll, limit_s=0.1, times=3)  # two threads
    go.set()

    assert outcome.status is Status.ERROR
    assert re.fullmatch(r"poller 'it' was not begun within 0\.\d+ s: all 2 threads are busy", outcome.error)
    assert time.monotonic() - began < 5


async def test_a_thread_that_comes_back_is_free_again() -> None:
    threads, go = Threads(1, "t"), threading.Event()
    loop = asyncio.get_running_loop()
    with pytest.raises(TimeoutError):
        await threads.run(lambda: go.wait(20), loop.time() + 0.05)
    assert threads.stuck_s > 0
    with pytest.raises(AllBusy):
        await threads.run(lambda: 1, loop.time() + 0.05)

    go.set()

    assert await threads.run(lambda: 5, loop.time() + 10) == 5
    await eventually_async(lambda: threads.stuck_s == 0)


async def test_a_process_whose_thread_is_blocked_for_too_long_is_replaced() -> None:
    stopped = asyncio.Event()
    plan = CustomPlan("plan", "it")
    router = make_router(Settings(), {"plan": plan}, Credentials({}, Keeping(Path(), {})))
    await router.collect(Target("ups-1", "127.0.0.1", 0, "plan", "", {}), plan, asyncio.get_running_loop().time() + 1)
    poller = router.poller(CustomPlan)
    assert isinstance(poller, CustomPoller)
    go = threading.Event()
    with pytest.raises(TimeoutError):
        await poller._threads.run(lambda: go.wait(20), asyncio.get_running_loop().time() + 0.05)

    async with asyncio.timeout(5):
        await watch_threads(router, 0.5, stopped.set)

    go.set()
    assert stopped.is_set()
    await router.close()


# -- entry points


async def test_a_poller_that_can_not_be_imported_is_a_mistake_of_configuration(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: object) -> Outcome:
        return OK

    assert (await run(nothing)).status is Status.OK
    monkeypatch.delitem(sys.modules, "poller_of_it")
    outcome = await run(nothing.__name__)  # not a function: its module has no poll that can be called

    assert outcome.status is Status.CONFIG
    assert "poller 'it' (poller_of_it:poll) is no function" in outcome.error
