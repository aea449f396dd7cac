"""`streampoll rules`: the rules of rules.toml, listed, and tried on what is stored."""

import asyncio
import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click
from rich import box
from rich.table import Table
from rich.text import Text

from streampoll.analysis.rule import Rule, RuleSet
from streampoll.cli.drawing import table_console
from streampoll.cli.names import offer_devices
from streampoll.cli.options import config_option, json_option, since_option
from streampoll.cli.progress import followed
from streampoll.config.load import load_rules
from streampoll.config.report import nearest
from streampoll.embedded.endpoints import read_settings
from streampoll.errors import ConfigError, Fault
from streampoll.model import Event
from streampoll.observe import words
from streampoll.results.render import clock


@click.group("rules")
def command() -> None:
    """Look after rules. What is wrong in rules.toml, `streampoll check` says.

    \b
    Examples:
      streampoll rules list
      streampoll rules test --since 24h
      streampoll rules test --rule interface-down --device core-1 --json
    """


@command.command("list")
@config_option
@json_option
def list_rules(config: Path, as_json: bool) -> int:
    """List rules, with their conditions."""
    rules = load_rules(config).rules
    if as_json:
        for rule in rules:
            click.echo(json.dumps(_rule_json(rule)))
    elif rules:
        table_console().print(_rules_table(rules))
    else:
        click.echo("there are no rules: write some into rules.toml, docs/rules.md says how")
    return 0


@command.command("test")
@config_option
@click.option("--rule", default="", help="Only this rule.")
@click.option(
    "--device", "devices", multiple=True, shell_complete=offer_devices, help="Only this device; may be given again."
)
@since_option("24h")
@json_option
def test(config: Path, rule: str, devices: Sequence[str], since: float, as_json: bool) -> int:
    """Show what the rules would have raised from the polls that are stored. Nothing is written.

    It is the analysis that workers do, from the first stored poll on; a device's parents are not looked at.
    """
    from streampoll.app.replay import open_replay  # here: `--help` need not load the clients

    chosen = _chosen(load_rules(config), rule)

    async def replay() -> list[Event]:
        found: list[Event] = []
        async with open_replay(read_settings(config, os.environ), config, chosen) as replayed:
            names = list(devices) or await replayed.devices(int(since))
            for name in followed("replaying", names):
                found += [event async for event in replayed.of(name, int(since))]
        return found

    events = sorted(asyncio.run(replay()), key=lambda event: (event.at, event.device, event.row))
    if as_json:
        for event in events:
            click.echo(json.dumps(_event_json(event)))
    else:
        _print(events)
    return 0


def _chosen(rules: RuleSet, name: str) -> RuleSet:
    """Leave only the rule that is asked for."""
    if not name:
        return rules
    kept = tuple(rule for rule in rules.rules if rule.name == name)
    if not kept:
        known = [rule.name for rule in rules.rules]
        raise ConfigError([Fault("--rule", f"no rule {name!r}", nearest(name, known))])
    return RuleSet(kept, rules.state, rules.windows)


def _print(events: Sequence[Event]) -> None:
    console = table_console()
    for event in events:
        line = f"{clock(event.at)}  {event.change.value:<8} {event.severity.word:<8} {event.rule}: {event.text}"
        console.print(Text(line + (f"  (not told: {event.suppressed})" if event.suppressed else "")), soft_wrap=True)
    opened = Counter(event.rule for event in events if event.change.value == "opened")
    said = ", ".join(f"{rule} {count}" for rule, count in opened.most_common()) or "nothing"
    console.print(f"would have opened: {said}")


def _rules_table(rules: Sequence[Rule]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("rule", "severity", "on", "when", "hold"):
        table.add_column(title, overflow="fold", no_wrap=title == "rule")
    for rule in rules:
        table.add_row(
            rule.name, rule.severity.word, rule.table or "device", Text(rule.when.text),
            words.span(rule.for_s) if rule.for_s else "",
        )  # fmt: skip
    return table


def _rule_json(rule: Rule) -> dict[str, object]:
    return {
        "rule": rule.name, "severity": rule.severity.word, "table": rule.table or None, "when": rule.when.text,
        "clear": rule.clear.text if rule.clear else None, "hold_s": rule.for_s, "run": rule.run or None,
    }  # fmt: skip


def _event_json(event: Event) -> dict[str, object]:
    return {
        "at": event.at, "change": event.change.value, "id": str(event.id), "rule": event.rule,
        "device": event.device, "row": event.row, "severity": event.severity.word, "value": event.value,
        "text": event.text, "suppressed": event.suppressed or None,
    }  # fmt: skip
