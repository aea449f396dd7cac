"""Files of workflows: every mistake with its line and what to write instead."""

from pathlib import Path

import pytest

from streampoll.config.report import Report
from streampoll.config.workflows import read_workflows
from streampoll.workflows.plan import Does
from tests.workflow_support import faults, workflow

LOOK = '[steps.look]\npoll = "system"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "w.toml: steps: a workflow without a step does nothing"),
        (LOOK + "speed = 1", "w.toml:3: steps.look.speed: unknown key"),
        ("[steps.look]\nneeds = []", "w.toml:1: steps.look: does nothing; write exactly one of poll, ssh, http, wait"),
        (LOOK + 'wait = "1s"', "w.toml:1: steps.look: does poll and wait; write exactly one of"),
        (LOOK + 'needs = ["lok"]', "w.toml:3: steps.look.needs: no step 'lok'; did you mean 'look'?"),
        (LOOK + 'needs = ["b"]\n[steps.b]\nneeds = ["look"]\nwait = "1s"', "itself: look -> b -> look; break the"),
        (LOOK + "once = true\nretries = 1", "w.toml:4: steps.look.retries: a step that runs once is not tried again"),
        (LOOK + "at_once = 1000", "w.toml:3: steps.look.at_once: 1000 is not allowed; expected a whole number"),
        (LOOK + 'timeout = "10m"', "w.toml:3: steps.look.timeout: '10m' is not allowed"),
        ('[steps.a]\nwait = "soon"', "w.toml:2: steps.a.wait: 'soon' is not a time to wait; write one as \"30s\""),
        ('[steps.a]\ncondition = "steps.b.values["', "is not an expression"),
        ('[steps.a]\ncondition = "steps.b.values.x"\n[steps.b]\nwait="1s"', 'not have ended then; write needs = ["b"]'),
        ('[steps.a]\npoll = "{{ inputs.profile }}"', "refers to input 'profile', which is not declared"),
        ('[steps.a]\npoll = "{{ inputs.profile"', "a {{ without its }}"),
        ('[steps.a]\nssh = { platform = "cisco_ios", commands = ["reload"] }', "may change the device"),
        ('[steps.a]\nssh = { platform = "cisco", commands = ["show version"] }', "no platform 'cisco'; did you"),
        ('[steps.a]\nhttp = { url = "ftp://h/", scalars = { x = "y" } }', "is not a URL that can be asked"),
        ('[steps.a]\nhttp = { url = "https://u:p@h/", scalars = { x = "y" } }', "without user and password"),
        (LOOK + 'undo = "back"\n[steps.back]\nneeds = ["look"]\nwait = "1s"', "makes up for 'look', so it needs"),
        (LOOK + 'keep = "x"', "only what an SSH step read is kept"),
        ('[schedule]\ncron = "0 3 *"\n' + LOOK, "w.toml:2: schedule.cron: '0 3 *' has 3 fields"),
        ('[schedule]\nevery = "1h"\ntimezone = "Europe/Zurch"\n' + LOOK, "did you mean 'Europe/Zurich'?"),
        ("[inputs]\nX = 1\n" + LOOK, "'X' is not an input's name"),
        ("[steps.a]\nnotify = { severity = \"loud\", text = \"x\" }", "'loud' is none; write info, warning"),
        ('[steps.a]\nrediscover = 1', "write rediscover = true"),
        ('for_each = 1\n' + LOOK, "w.toml:1: for_each: unknown key"),
        (LOOK + "for_each = 3", "3 is not an expression"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(text: str, said: str) -> None:
    found = faults(text)
    assert any(said in fault for fault in found), found


def test_all_mistakes_are_found_at_once() -> None:
    assert len(faults('[steps.a]\nwait = "x"\n[steps.b]\nwait = "y"\n[steps.c]\npol = "z"\n')) >= 3


def test_a_workflow_extends_another(tmp_path: Path) -> None:
    (tmp_path / "nightly.toml").write_text(
        'extends = "backup-config"\nselect = { groups = ["core"] }\n[schedule]\ncron = "0 3 * * *"\n'
        '[inputs]\nplatform = "arista_eos"\n'
    )
    report = Report()
    found = read_workflows(tmp_path, "workflows", report)
    assert not report.faults
    nightly = found["nightly"]
    assert nightly.inputs == {"platform": "arista_eos", "command": "show running-config", "enable": False}
    assert nightly.schedule
    assert nightly.schedule.cron == "0 3 * * *"
    assert list(nightly.steps) == ["backup"]


def test_a_workflow_that_extends_nothing_known_is_refused(tmp_path: Path) -> None:
    (tmp_path / "nightly.toml").write_text('extends = "backup-confg"\n')
    report = Report()
    read_workflows(tmp_path, "workflows", report)
    assert (
        str(report.faults[0])
        == "workflows/nightly.toml:1: extends: no workflow 'backup-confg'; did you mean 'backup-config'?"
    )


def test_commands_that_change_a_device_are_said_to_be_meant() -> None:
    made = workflow('[steps.a]\nssh = { platform = "cisco_ios", commands = ["reload"], allow_config = true }')
    assert made.steps["a"].does is Does.SSH
