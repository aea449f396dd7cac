"""`streampoll plot DEVICE METRIC`: a value of a device over time, in the terminal or as a picture."""

import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from rich.text import Text

from streampoll.cli.names import offer_devices, offer_jobs
from streampoll.cli.options import answer, config_option, json_option, since_option
from streampoll.config.load import load_profiles
from streampoll.config.report import nearest
from streampoll.config.settings import PostgresSettings, Settings
from streampoll.embedded.endpoints import read_settings
from streampoll.errors import ConfigError, Fault
from streampoll.observe.braille import chart
from streampoll.observe.looks import counters_by_profile
from streampoll.observe.watch import terminal_console
from streampoll.results.choice import Choice
from streampoll.results.postgres import connected
from streampoll.results.rate_history import joined, rate_lines, read_rates
from streampoll.results.reader import StoredPoll, Wanted, results
from streampoll.results.series import Path as MetricPath
from streampoll.results.series import PathError, Point, parse_path, paths_of, rates, samples, thinned, values

_MOST_POLLS = 5000
_DRAWN = 400  # points
_RATE = "per second"
_SOURCES = {
    "rates": "as analysis stored it",
    "polls": "worked out of polls",
    "both": "as analysis stored it, and of polls where it did not",
}


@dataclass(frozen=True, slots=True)
class Plot:
    """What is drawn."""

    device: str
    metric: str
    unit: str  # "per second" for rates of counters, "" for values
    points: Sequence[Point]
    source: str = "polls"  # or "rates", of the table of that name, or "both"

    @property
    def title(self) -> str:
        """What it says above."""
        return f"{self.device}  {self.metric}" + (f"  ({self.unit}, {_SOURCES[self.source]})" if self.unit else "")

    @property
    def known(self) -> list[tuple[float, float]]:
        """The points that have a value."""
        return [(at, value) for at, value in self.points if value is not None]


@click.command("plot")
@click.argument("device", shell_complete=offer_devices)
@click.argument("metric", default="")
@config_option
@click.option("--job", default="", shell_complete=offer_jobs, help="Only this job's polls.")
@since_option("6h")
@click.option("--raw", is_flag=True, help="Values of counters, not their rates.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="PNG or SVG file to write.")
@json_option
def command(device: str, metric: str, config: Path, job: str, since: float, raw: bool, output: Path | None,
            as_json: bool) -> int:  # fmt: skip
    """Draw METRIC of DEVICE over time: a scalar (sysUpTime), or table.column[row].

    Of a counter it is the rate that is drawn: as analysis stored it, and where it did not, the difference of two polls
    over the time between their replies, with a gap where the counter fell or the device booted; it says which. Without
    METRIC it lists what there is. Pictures need matplotlib (`pip install 'streampoll[plot]'`). Exit code 1 if nothing
    is stored.

    \b
    Examples:
      streampoll plot core-1
      streampoll plot core-1 'interfaces.ifHCInOctets[Ethernet1]' --since 6h
      streampoll plot core-1 hrSystemProcesses --since 2d -o processes.png
    """
    settings = read_settings(config, os.environ)
    path = _read_path(metric) if metric else None
    wanted = Wanted(device, job, int(since), limit=_MOST_POLLS)
    if path is not None and not raw and (stored := asyncio.run(_stored(settings.postgres, wanted, path))):
        return _show(stored, output, as_json)
    polls = asyncio.run(_polls(settings.postgres, wanted))
    if not polls:
        click.echo(f"streampoll: nothing was stored of {device} in that time; try an earlier --since", err=True)
        return 1
    if path is None:
        return _list(polls, as_json)
    plot = _plot(device, path, polls, raw or not _is_counter(config, settings, polls, path))
    return _show(plot, output, as_json)


def _read_path(metric: str) -> MetricPath:
    try:
        return parse_path(metric)
    except PathError as error:
        raise ConfigError([Fault("METRIC", str(error), "without METRIC, all of them are listed")]) from None


async def _stored(settings: PostgresSettings, wanted: Wanted, path: MetricPath) -> Plot | None:
    """Return a counter's rates; None where none are stored."""
    column = (path.table, path.column)
    choice = Choice(lambda _profile, table, name: (table, name) == column, path.row)
    async with connected(settings) as connection:
        histories = await read_rates(connection, wanted, choice)
    lines = [rate_lines(each, [column]).get(path) for each in histories]
    line = joined([line for line in lines if line])
    return Plot(wanted.device, str(path), _RATE, line.points(_DRAWN), line.source) if line.stored else None


async def _polls(settings: PostgresSettings, wanted: Wanted) -> list[StoredPoll]:
    """Return the polls, the oldest first."""
    async with connected(settings) as connection:
        return [poll async for poll in results(connection, wanted)][::-1]


def _list(polls: Sequence[StoredPoll], as_json: bool) -> int:
    found = list(dict.fromkeys(str(path) for poll in polls[-20:] for path in paths_of(poll.outcome)))
    for metric in found:
        answer(as_json, {"metric": metric}, metric)
    return 0


def _is_counter(config: Path, settings: Settings, polls: Sequence[StoredPoll], path: MetricPath) -> bool:
    try:
        counters = counters_by_profile(load_profiles(config, settings))
    except ConfigError as error:
        click.echo(f"streampoll: what is a counter is not known: {error.faults[0]}", err=True)
        return False
    return any((path.table, path.column) in counters(name) for name in {poll.outcome.profile for poll in polls})


def _plot(device: str, path: MetricPath, polls: Sequence[StoredPoll], raw: bool) -> Plot:
    found = list(samples(polls, path))
    if not found:
        known = list(dict.fromkeys(str(each) for poll in polls[-20:] for each in paths_of(poll.outcome)))
        raise ConfigError([Fault("METRIC", f"{device} has no number {path}", nearest(str(path), known))])
    few = list(samples(thinned(polls, _DRAWN), path)) if len(found) > _DRAWN else found
    return Plot(device, str(path), "" if raw else _RATE, values(few) if raw else rates(few))


def _show(plot: Plot, output: Path | None, as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps(asdict(plot)))
    if not plot.known:
        click.echo(f"streampoll: {plot.metric} has fewer than two values in that time: there is no line yet", err=True)
        return 1
    if output is not None:
        _draw_picture(plot, output)
        click.echo(f"wrote {output}", err=True)
    elif not as_json:
        _draw_terminal(plot)
    return 0


def _draw_terminal(plot: Plot) -> None:
    """Draw with characters, as wide as the terminal; colours only on one, and not with NO_COLOR."""
    console = terminal_console()
    height = min(max(console.height - 3, 10), 24) if console.is_terminal else 18
    console.print(Text(plot.title, "bold"))
    for line in chart(plot.points, min(console.width, 160) - 1, height):
        console.print(Text(line, "cyan"), soft_wrap=True)


def _draw_picture(plot: Plot, output: Path) -> None:
    try:
        import matplotlib as mpl
    except ImportError:
        what = "pictures need matplotlib, which is not installed"
        raise ConfigError([Fault("--output", what, "pip install 'streampoll[plot]'")]) from None
    mpl.use("Agg")
    from streampoll.cli.plot_picture import draw

    try:
        draw(plot.title, plot.points, output)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigError(
            [Fault("--output", f"{output} can't be written: {why}", "name a .png or .svg file")]
        ) from None
