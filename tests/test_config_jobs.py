"""Jobs and their selectors."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from streampoll.config.jobs import Job
from streampoll.config.load import load_jobs
from streampoll.model import Device
from tests.config_support import faults_of, write

CORE = Device("core1", "10.1.2.3", groups=("core", "network"), site="zurich", role="router", tags=("uplink",))


def jobs_in(directory: Path, toml: str) -> tuple[Job, ...]:
    return load_jobs(write(directory, {"streampoll.toml": toml}))


def test_a_job_is_read_with_its_defaults(tmp_path: Path) -> None:
    (job,) = jobs_in(tmp_path, '[jobs.a]\nevery = "2m"')

    assert job == Job("a", every_s=120)
    assert job.spread
    assert job.selector.matches(CORE)


def test_a_cron_job_has_a_zone_and_a_span(tmp_path: Path) -> None:
    toml = """
        [jobs.nightly]
        cron = "15 3 * * *"
        timezone = "Europe/Zurich"
        start = 2026-01-01T00:00:00
        end = 2026-02-01T00:00:00Z
    """
    (job,) = jobs_in(tmp_path, toml)

    assert (job.cron, job.timezone, job.every_s) == ("15 3 * * *", "Europe/Zurich", 0)
    assert datetime.fromtimestamp(job.start, UTC) == datetime(2025, 12, 31, 23, tzinfo=UTC)
    assert datetime.fromtimestamp(job.end, UTC) == datetime(2026, 2, 1, tzinfo=UTC)
    assert job.mean_interval_s() == 86_400


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("", "jobs.a: has no schedule; write one of every"),
        ('every = "1m"\ncron = "* * * * *"', "jobs.a: has both every and cron"),
        ('every = "1.5s"', "jobs.a.every: '1.5s' is not allowed"),
        ("every = 0", 'jobs.a.every: 0 is not allowed; expected seconds or a duration as "90s", at least 1'),
        ('evry = "1m"', "jobs.a.evry: unknown key; did you mean 'every'?"),
        ('cron = "* * * *"', "jobs.a.cron: '* * * *' has 4 fields"),
        ('cron = "* * * * * *"', "has 6 fields"),
        ('cron = "61 * * * *"', "is not a cron line"),
        ('cron = "0 0 30 2 *"', "is not a cron line"),
        ('every = 60\ntimezone = "Europe/Zurick"', "no time zone 'Europe/Zurick'; did you mean 'Europe/Zurich'?"),
        ('every = 60\ntimezone = "../../etc/passwd"', "no time zone"),
        ('every = 60\nstart = "2026-01-01"', "jobs.a.start: '2026-01-01' is not a date and time"),
        ("every = 60\nstart = 2026-02-01T00:00:00Z\nend = 2026-01-01T00:00:00Z", "jobs.a.end: ends before it starts"),
        ("every = 60\nselect = { group = ['core'] }", "select.group: unknown key; did you mean 'groups'?"),
        ("every = 60\nselect = { groups = [] }", "select.groups: [] selects nothing"),
        ("every = 60\nselect = {}", "select: selects nothing; write all = true"),
        ("every = 60\nselect = { all = true, site = 'x' }", "all = true beside other keys"),
        ("every = 60\nselect = { cidr = '10.0.0.1/8' }", "'10.0.0.1/8' is not a network"),
        ("every = 60\nselect = 3", "select: 3 is not a table"),
    ],
)
def test_a_job_that_is_wrong_says_what_to_write(tmp_path: Path, body: str, fault: str) -> None:
    (line,) = faults_of(lambda: jobs_in(tmp_path, f"[jobs.a]\n{body}"))

    assert line.startswith("streampoll.toml:")
    assert fault in line


def test_a_job_cannot_have_a_colon_in_its_name(tmp_path: Path) -> None:
    (line,) = faults_of(lambda: jobs_in(tmp_path, '[jobs."a:b"]\nevery = 60'))

    assert "'a:b' is not a job's name" in line


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ("all = true", True),
        ("groups = ['edge', 'core']", True),
        ("groups = 'edge'", False),
        ("groups = 'core', site = 'zurich'", True),
        ("groups = 'core', site = 'geneva'", False),
        ("role = ['router'], tags = 'uplink'", True),
        ("tags = 'access'", False),
        ("role = 'switch'", False),
        ("vendor = 'cisco'", False),
        ("cidr = ['10.0.0.0/8', '2001:db8::/32']", True),
        ("cidr = '10.1.2.0/30'", True),
        ("cidr = '10.1.2.4/30'", False),
        ("devices = ['core1']", True),
        ("devices = ['core2']", False),
    ],
)
def test_every_key_must_match_and_a_list_matches_any(tmp_path: Path, select: str, expected: bool) -> None:
    (job,) = jobs_in(tmp_path, f"[jobs.a]\nevery = 60\nselect = {{ {select} }}")

    assert job.selector.matches(CORE) is expected


def test_a_host_name_is_in_no_network(tmp_path: Path) -> None:
    (job,) = jobs_in(tmp_path, "[jobs.a]\nevery = 60\nselect = { cidr = ['0.0.0.0/0', '::/0'] }")

    assert not job.selector.matches(Device("h", "host.example.net"))
