"""A configuration as a whole: its parts against each other, the example in conf/, the page of settings."""

from pathlib import Path

import pytest

from streampoll.config.load import load, load_inventory, load_settings
from streampoll.config.reference import page
from tests.config_support import CREDENTIAL, JOB, faults_in, faults_of, notices_in, write

TOP = Path(__file__).resolve().parent.parent


def test_the_example_has_no_fault_and_no_notice() -> None:
    configuration = load(TOP / "conf", {})

    assert not configuration.notices
    assert sorted(configuration.settings.pools) == ["general", "polling"]
    assert all(
        any(job.selector.matches(device) for device in configuration.devices if device.enabled)
        for job in configuration.jobs
    )


def test_the_example_has_the_pools_of_the_deployment_it_replaces() -> None:
    pools = load_settings(TOP / "conf", {}).pools
    figures = {name: (pool.processes, pool.prefetch, pool.max_tasks, len(pool.queues)) for name, pool in pools.items()}

    assert figures == {"general": (32, 4, 1000, 5), "polling": (16, 8, 500, 1)}


def test_the_page_of_settings_is_what_the_table_says() -> None:
    committed = (TOP / "docs/configuration.md").read_text()

    assert committed == page(), "run: python -m streampoll.config.reference > docs/configuration.md"


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        (
            {"streampoll.toml": '[jobs.a]\nevery = 60\nprofile = "sytem"'},
            "streampoll.toml:3: jobs.a.profile: no profile 'sytem'; did you mean 'system'?",
        ),
        (
            {"streampoll.toml": "[jobs.a]\nevery = 60"},
            "streampoll.toml:1: jobs.a: names no profile, and neither do sw1; set profile here or in the inventory",
        ),
        (
            {"inventory.csv": "name,address,profile\na,1.1.1.1,ucdd\nb,1.1.1.2,ucdd\n"},
            "inventory: no profile 'ucdd', which 2 devices should use; did you mean 'ucd'?",
        ),
        (
            {"inventory.csv": "name,address,credential\na,1.1.1.1,defalt\n"},
            "inventory: no credential 'defalt', which 1 device should use; did you mean 'default'?",
        ),
        (
            {"credentials.toml": CREDENTIAL.replace("default", "other")},
            "inventory: no credential 'default', which 1 device should use; known: other",
        ),
    ],
)
def test_a_name_that_is_defined_nowhere_is_a_fault(tmp_path: Path, files: dict[str, str], fault: str) -> None:
    assert faults_in(tmp_path, files) == [fault]


@pytest.mark.parametrize(
    ("toml", "notice"),
    [
        (f"{JOB}\n[pools.a]\nqueues = ['polling']", "streampoll.toml:5: pools: no pool serves 'results'"),
        (f"{JOB}\n[pools.a]\nprocesses = 17", "shards.count: 17 processes would poll 16 shards"),
        (f"{JOB}\n[snmp]\ntimeout_s = 30", "streampoll.toml:2: jobs.all.every: a silent device takes 60 s"),
        (
            f"{JOB}[coordinator]\ngrace_s = 61",
            "streampoll.toml:2: jobs.all.every: after an outage polls up to 61 s late",
        ),
        (f"{JOB}select = {{ groups = ['cor'] }}", "streampoll.toml:4: jobs.all.select.groups: no device has 'cor'"),
        (f"{JOB}select = {{ devices = ['sw2'] }}", "no device has 'sw2'; did you mean 'sw1'?"),
        (f"{JOB}select = {{ groups = ['cor'] }}", "streampoll.toml:1: jobs.all: selects no device that is enabled"),
        ("", "streampoll.toml: jobs: no job: nothing will be polled"),
    ],
)
def test_what_works_and_is_likely_not_meant_is_a_notice(tmp_path: Path, toml: str, notice: str) -> None:
    assert any(line.startswith(notice) or notice in line for line in notices_in(tmp_path, {"streampoll.toml": toml}))


def test_faults_of_all_files_are_reported_together(tmp_path: Path) -> None:
    files = {
        "streampoll.toml": "[snmp]\nretries = -1\n[jobs.a]\nevery = 0",
        "inventory.csv": "name,address\na,?\nb,1.1.1.1\n",
        "credentials.toml": "[credentials.default]\n",
        "profiles/p.toml": "",
    }
    wheres = [line.split(":")[0] for line in faults_in(tmp_path, files)]

    assert wheres == [
        "streampoll.toml",
        "streampoll.toml",
        "profiles/p.toml",
        "credentials.toml",
        "inventory.csv",
    ]


def test_a_part_can_be_loaded_by_itself(tmp_path: Path) -> None:
    write(tmp_path, {"inventory.csv": "name,address\na,?\n"})
    settings = load_settings(tmp_path, {})

    assert faults_of(lambda: load_inventory(tmp_path, settings))[0].startswith("inventory.csv:2: address: '?' is no")
