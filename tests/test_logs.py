"""Log lines: what they say of a poll, and how few there are of devices that fail."""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from streampoll.config.settings import LogSettings
from streampoll.logs import about, name_process, set_up_logs, thin_out
from streampoll.model import Outcome, QueueClass, Status, Target
from streampoll.pollers import failing
from streampoll.pollers.failing import Failing
from streampoll.pollers.handler import PollHandler, PollPorts
from streampoll.results.codec import encode_payload
from streampoll.shards.entries import Delivered, Entry, Kind, encode_target
from tests.test_pollers_handler import handled

SLOT = 1_700_000_040
OK, SILENT = Outcome(Status.OK), Outcome(Status.TIMEOUT, "no answer\nwithin 2 s")


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.INFO, "streampoll.pollers")
    return lambda: [record.getMessage() for record in caplog.records]


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Callable[[LogSettings], Callable[[], list[str]]]]:
    """Set up logs; what that returns reads the lines that were written since."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level

    def set_up(settings: LogSettings) -> Callable[[], list[str]]:
        set_up_logs(settings, tmp_path / "log")
        return lambda: (tmp_path / "log").read_text().splitlines()

    yield set_up
    for handler in root.handlers:
        handler.close()
    root.handlers[:] = before
    root.setLevel(level)


class Clock:
    """A time that moves when a test says so, and what was to be done by then."""

    def __init__(self) -> None:
        self.now = 100.0
        self.due: list[tuple[float, Callable[[], None]]] = []

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        self.due.append((self.now + seconds, call))

    def pass_(self, seconds: float) -> None:
        self.now += seconds
        for at, call in self.due[:]:
            if at <= self.now:
                self.due.remove((at, call))
                call()


def watching(most: int, clock: Clock) -> Callable[..., None]:
    """Return what takes the outcome of a device's poll, as the handler gives it."""
    it = Failing(most, lambda: clock.now, clock.later)

    def note(device: str, outcome: Outcome = SILENT) -> None:
        if not outcome.status.answered or ("j", device) in it.spells:
            it.note(("j", device), outcome, SLOT, 3, 1000.0 + clock.now)

    return note


async def met(outcomes: Sequence[Outcome]) -> None:
    """Have a handler meet these outcomes of one device, in this order."""
    left, now = iter(outcomes), iter(range(SLOT, SLOT + 10_000, 10))

    async def poll(_: Target, __: float) -> Outcome:
        return next(left)

    async def close() -> None:
        pass

    ports = PollPorts(poll, encode_payload, lambda: float(next(now)), "w1", close, device_lines=5)
    handler = PollHandler(ports)
    entry = Entry(Kind.POLL, "j", SLOT, 0, encode_target(Target("core-1", "192.0.2.1", 0, "system", "", {})))
    for _ in outcomes:
        await handled(handler, Delivered(QueueClass.POLLING, 3, b"1-0", entry, 1, 0.0))
    await handler.close()


async def test_a_device_that_fails_has_a_line_when_it_begins_and_one_when_it_answers(
    lines: Callable[[], list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    await met([OK, SILENT, SILENT, Outcome(Status.REFUSED, "noAccess"), OK, OK])

    assert lines() == [
        "device core-1 begins to fail by job j: timeout: no answer within 2 s",
        "device core-1 answers again by job j: 3 polls failed, the first 90 s ago",
    ]
    for record in caplog.records:
        assert (record.job, record.device, record.slot, record.shard) == ("j", "core-1", SLOT, 3)


async def test_a_poll_that_came_too_late_says_nothing_of_its_device(lines: Callable[[], list[str]]) -> None:
    await met([Outcome(Status.EXPIRED), OK])
    assert lines() == []


def test_many_that_fail_at_once_are_a_few_lines_and_a_number(lines: Callable[[], list[str]]) -> None:
    clock = Clock()
    note = watching(3, clock)
    for number in range(10):
        note(f"core-{number}")
    note("core-0", OK)
    clock.pass_(59.0)
    assert len(lines()) == 3
    clock.pass_(1.0)
    assert lines()[3:] == ["and 7 more devices began to fail, 1 answered again: log.device_lines is 3 a minute"]

    note("core-9", OK)  # it was not named, so nobody waits for it
    note("core-10")
    clock.pass_(60.0)
    assert lines()[4:] == ["device core-10 begins to fail by job j: timeout: no answer within 2 s"]


def test_devices_beyond_what_is_remembered_are_not_named(
    lines: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failing, "_MOST", 2)
    clock = Clock()
    note = watching(50, clock)
    for device in ("a", "b", "c", "d", "b"):
        note(device)
    assert lines()[2:] == ["2 devices fail: of more it is not said any more"]

    clock.pass_(2 * 3600.0)
    note("b")
    note("c")  # in the place of a, which has not been polled here for hours
    note("a", OK)
    assert lines()[3:] == ["device c begins to fail by job j: timeout: no answer within 2 s"]


def test_no_lines_are_wanted(lines: Callable[[], list[str]]) -> None:
    watching(0, Clock())("core-1")
    assert lines() == []


def test_every_json_line_of_a_worker_names_it(written: Callable[[LogSettings], Callable[[], list[str]]]) -> None:
    read = written(LogSettings(format="json"))
    name_process("host-7-abc")
    logging.getLogger("streampoll.worker").warning("moved", extra=about("fast", "core-1", SLOT, 0))
    logging.getLogger("elsewhere").warning("so")
    first, second = map(json.loads, read())

    assert {key: first[key] for key in ("job", "device", "slot", "shard", "worker")} == {
        "job": "fast", "device": "core-1", "slot": SLOT, "shard": 0, "worker": "host-7-abc",
    }  # fmt: skip
    assert second["worker"] == "host-7-abc"
    assert "job" not in second


def test_a_library_that_repeats_itself_has_a_line_a_minute(
    written: Callable[[LogSettings], Callable[[], list[str]]],
) -> None:
    read, clock = written(LogSettings()), Clock()
    thin_out("noisy", 60.0, lambda: clock.now)
    for pause_s in (0.0, 59.0, 1.0):
        clock.pass_(pause_s)
        for name in ("noisy.exporter", "noisy.sdk", "noisyish"):
            logging.getLogger(name).warning("away")

    assert [line.split()[-2] for line in read()] == [
        "noisy.exporter:", "noisyish:", "noisyish:", "noisy.exporter:", "noisyish:",
    ]  # fmt: skip


def test_a_console_line_says_what_its_text_does_not(written: Callable[[LogSettings], Callable[[], list[str]]]) -> None:
    read = written(LogSettings())
    logging.getLogger("streampoll.x").warning("device core-12 is slow", extra=about("fast", "core-1", shard=7))
    logging.getLogger("streampoll.x").warning("shard 7: gone", extra=about(shard=7))

    assert [line.partition(" x: ")[2] for line in read()] == [
        "device core-12 is slow job=fast device=core-1 shard=7", "shard 7: gone",
    ]  # fmt: skip
