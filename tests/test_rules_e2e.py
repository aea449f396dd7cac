"""Rules end to end: real agents that are there or not, events in PostgreSQL, workers killed meanwhile."""

import json
from pathlib import Path
from typing import Any

import pytest

from streampoll.embedded.fleet import device_address
from tests.e2e_support import Deployment, deployed
from tests.notify_servers_support import KEY, receiving
from tests.waiting import eventually

RULES = """
[rules.down]
when = 'state == "down" or state == "unreachable"'
severity = "critical"
text = "{device} is {state}"

[rules.there]
when = 'status == "ok"'
severity = "info"
text = "{device} answers"

[state]
down_after = 2
"""
NOTIFICATIONS = """
[channels.hook]
type = "webhook"
url = { env = "HOOK_URL" }
key = { file = "hook.key" }

[routes.all]
channels = ["hook"]
severity = "critical"
group_wait = "1s"
"""
NOBODY = 9  # a port (discard) on which no agent answers


def events(fleet: Deployment, *options: str) -> list[dict[str, Any]]:
    done = fleet.run("events", "--json", *options)
    return [json.loads(line) for line in done.stdout.splitlines()]


def opened(fleet: Deployment, rule: str) -> dict[str, dict[str, Any]]:
    return {each["device"]: each for each in events(fleet, "--open", "--rule", rule)}


@pytest.fixture
def fleet(tmp_path: Path, fresh_redis: str, fresh_database: str) -> Any:
    """Three devices that answer, one that does not, and one behind that."""
    with deployed(tmp_path, fresh_redis, fresh_database, every="2s") as made:
        (tmp_path / "rules.toml").write_text(RULES)
        lines = [f"sim-{n},{device_address(n)},system,," for n in range(3)]
        lines += [f"edge,127.9.9.9,system,,{NOBODY}", f"behind,127.9.9.10,system,edge,{NOBODY}"]
        made.inventory(lines, "name,address,profile,parent,port")
        coordinator = made.start("coordinator")
        eventually(lambda: "told the fleet" in coordinator.log.read_text(), 30)  # who is behind whom
        yield made


def test_what_is_wrong_opens_one_event_whoever_dies_and_what_is_behind_it_is_not_told(fleet: Deployment) -> None:
    first = fleet.start("worker", "--processes", "2")
    eventually(lambda: opened(fleet, "down").keys() >= {"edge", "behind"}, 60)
    before = opened(fleet, "down")

    first.end()
    fleet.start("worker", "--processes", "1")
    count = fleet.count()
    eventually(lambda: fleet.polled(count + 20), 60)
    after = opened(fleet, "down")

    assert {device: each["id"] for device, each in after.items()} == {
        device: each["id"] for device, each in before.items()
    }
    assert after["edge"]["suppressed"] == ""
    assert (after["behind"]["suppressed"], after["behind"]["text"]) == ("parent", "behind is unreachable")
    assert opened(fleet, "there").keys() == {"sim-0", "sim-1", "sim-2"}


def test_rules_that_change_are_taken_up_and_maintenance_is_heard_of(fleet: Deployment) -> None:
    fleet.start("worker", "--processes", "1")
    eventually(lambda: "edge" in opened(fleet, "down"), 60)

    assert fleet.run("maintenance", "add", "--device", "sim-1", "--for", "1h").returncode == 0
    eventually(lambda: opened(fleet, "there")["sim-1"]["suppressed"] == "maintenance", 60)
    assert opened(fleet, "there")["sim-2"]["suppressed"] == ""

    (fleet.where / "rules.toml").write_text(RULES.replace("[rules.down]", "[rules.dead]"))
    eventually(lambda: "edge" in opened(fleet, "dead") and not opened(fleet, "down"), 60)


def test_rules_are_tried_on_what_is_stored_as_workers_would(fleet: Deployment) -> None:
    fleet.start("worker", "--processes", "1")
    eventually(lambda: "edge" in opened(fleet, "down"), 60)
    fleet.settle()

    done = fleet.run("rules", "test", "--since", "1h", "--json", "--rule", "down", "--device", "edge")
    [said] = [json.loads(line) for line in done.stdout.splitlines()]

    assert (said["id"], said["change"]) == (opened(fleet, "down")["edge"]["id"], "opened")


def test_an_event_reaches_a_person_and_starts_its_workflow(fleet: Deployment) -> None:
    """From a poll without an answer to a signed message, and to the steps of what the rule runs."""
    (fleet.where / "rules.toml").write_text(
        RULES.replace('severity = "critical"', 'severity = "critical"\nrun = "look"')
    )
    (fleet.where / "workflows").mkdir()
    (fleet.where / "workflows/look.toml").write_text('[steps.reach]\npoll = "ping"\nallow_failure = true\n')
    (fleet.where / "hook.key").write_text(KEY)
    (fleet.where / "hook.key").chmod(0o600)
    with receiving() as receiver:
        fleet.environ["HOOK_URL"] = receiver.url
        (fleet.where / "notifications.toml").write_text(NOTIFICATIONS)
        fleet.start("worker", "--processes", "1")
        eventually(lambda: receiver.received, 60)
        eventually(lambda: fleet.query("SELECT count(*) FROM workflow_runs WHERE state = 'ok'")[0][0], 60)
        told = [each["text"] for received in receiver.received for each in received.told["events"]]

    assert "edge is down" in told
    assert not any("unreachable" in text for text in told)
    assert all(received.is_signed() for received in receiver.received)
    [(devices, cause)] = fleet.query("SELECT devices::text, cause FROM workflow_runs")
    assert (json.loads(devices), cause) == (["edge"], "event")
