"""`streampoll device`: what the configuration says, what was learned, and how it is shown."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from streampoll.cli import run
from streampoll.config.credentials import Credentials
from streampoll.config.jobs import Job
from streampoll.config.selector import Selector
from streampoll.coordinator.layout import lay_out
from streampoll.model import Device
from streampoll.observe.device import LastPoll, describe, learned_of
from streampoll.observe.device_view import as_json, text_lines
from streampoll.shards.device_record import DeviceRecord

NOW = 1_700_000_000
DEVICE = Device(
    "core-1", "192.0.2.1", 1161, "system", "v3-new ssh-main gone", ("core",), "fra", tags=("x",),
    overrides={"snmp.timeout_s": 5.0},
)  # fmt: skip
JOBS = (
    Job("fast", every_s=60),
    Job("nightly", cron="0 3 * * *", timezone="UTC", profile="entity"),
    Job("together", every_s=300, spread=False),
    Job("over", every_s=60, end=NOW - 5),
    Job("off", every_s=60, enabled=False),
)
CREDENTIALS = Credentials.of("snmp", {"v3-new": 1})
RECORD = DeviceRecord(NOW, {"ssh": "ssh-main"}, {"snmp": {"varbinds": 20, "silent": 16}}, {"snmp": NOW - 3700})


def text(record: DeviceRecord | None = None, last: LastPoll | None = None) -> str:
    report = describe(DEVICE, JOBS, CREDENTIALS, 16, NOW)
    jobs = [replace(job, last=last) for job in report.jobs]
    return "\n".join(text_lines(replace(report, jobs=jobs, learned=learned_of(record)), NOW))


def test_the_next_slot_is_the_one_that_the_plans_have() -> None:
    report = describe(DEVICE, JOBS, CREDENTIALS, 16, NOW)
    plans = {plan.terms.job: plan for plan in lay_out(JOBS, [DEVICE], 16)}

    for job in report.jobs[:3]:
        assert job.next_slot is not None
        before = range(NOW + 1, job.next_slot, 1 if job.phase_s is not None else 3600)
        assert [tick for tick in (*before, job.next_slot) if plans[job.job].due(tick)] == [job.next_slot]
    assert [(job.job, job.profile) for job in report.jobs] == [
        ("fast", "system"), ("nightly", "entity"), ("together", "system"), ("over", "system"),
    ]  # fmt: skip
    assert report.jobs[3].next_slot is None


def test_a_job_that_selects_other_devices_is_not_listed() -> None:
    jobs = [Job("other", every_s=60, selector=Selector(groups=frozenset({"edge"})))]

    assert describe(DEVICE, jobs, CREDENTIALS, 16, NOW).jobs == []


def test_what_the_inventory_says_is_shown() -> None:
    shown = text()

    assert "core-1  192.0.2.1, port 1161, shard" in shown
    assert "credentials v3-new (snmp), ssh-main (unknown), gone (unknown)" in shown
    assert "overrides   snmp.timeout_s = 5.0" in shown
    assert "Job nightly: profile entity, 0 3 * * * (UTC), next 2023-11-15T03:00:00Z, in 4h46m" in shown
    assert "Nothing was learned of it" in shown


def test_what_was_learned_is_shown() -> None:
    shown = text(RECORD)

    assert "Learned over snmp:\n  asked for at most 20 values a request\n" in shown
    assert "silent since 2023-11-14T21:11:40Z (1h01m), at least 16 polls; it gets one request a poll" in shown
    assert "Learned over ssh:\n  credential ssh-main worked, and is tried first" in shown


def test_the_last_outcome_is_shown_with_its_lateness() -> None:
    last = LastPoll(NOW - 30, "timeout", "no answer", 4012, 1250, 5300)

    assert (
        "  last: 2023-11-14T22:12:50Z  timeout, 4012 ms, started 1.25s late, stored 5.30s after it was due: no answer"
        in text(last=last)
    )


def test_a_devices_words_do_not_drive_the_terminal() -> None:
    last = LastPoll(NOW, "refused", "\x1b[2Jgone", 1, None, 1)

    assert "\x1b" not in text(last=last)


def test_json_has_all_of_it() -> None:
    report = replace(describe(DEVICE, JOBS, CREDENTIALS, 16, NOW), learned=learned_of(RECORD))
    shown = json.loads(json.dumps(as_json(report)))

    assert shown["learned"][0] == {
        "protocol": "snmp", "credential": None, "numbers": {"varbinds": 20}, "silent_polls": 16,
        "silent_since": "2023-11-14T21:11:40Z",
    }  # fmt: skip
    assert shown["jobs"][0]["last"] is None
    assert shown["overrides"] == {"snmp.timeout_s": 5.0}


# -- the command


@pytest.fixture
def place(tmp_path: Path, fresh_redis: str, fresh_database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "streampoll.toml").write_text("[jobs.fast]\nevery = 60\nprofile = 'system'\n")
    (tmp_path / "inventory.csv").write_text("name,address\ncore-1,192.0.2.1\n")
    monkeypatch.setenv("STREAMPOLL_REDIS_URL", fresh_redis)
    monkeypatch.setenv("STREAMPOLL_POSTGRES_DSN", fresh_database)
    assert run(["migrate", "--config", str(tmp_path)]) == 0
    return tmp_path


def test_a_device_of_which_nothing_is_stored_is_shown(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["device", "core-1", "--config", str(place)]) == 0
    assert "last: none is stored" in capsys.readouterr().out


def test_an_unknown_device_is_told_with_the_nearest(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["device", "coer-1", "--config", str(place)]) == 2
    assert "there is no device 'coer-1'; did you mean 'core-1'?" in capsys.readouterr().err


def test_without_servers_the_configuration_is_shown_all_the_same(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMPOLL_REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("STREAMPOLL_POSTGRES_DSN", "postgresql://127.0.0.1:1/none")
    capsys.readouterr()

    assert run(["device", "core-1", "--config", str(place), "--json"]) == 1

    shown = json.loads(capsys.readouterr().out)
    assert (shown["address"], shown["learned"], len(shown["troubles"])) == ("192.0.2.1", None, 2)
