"""`streampoll demo`: the whole system on a simulated fleet, on this machine, and nothing of it left afterwards."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click

from streampoll.cli.demo_run import DemoOptions, conductor_role
from streampoll.cli.options import json_option
from streampoll.errors import ConfigError, Fault, StreampollError


class Span(click.ParamType[tuple[int, int]]):
    """An option's value LOW-HIGH."""

    name = "LOW-HIGH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Return (low, high)."""
        if isinstance(value, tuple):
            return value
        low, dash, high = str(value).partition("-")
        if not (low.isdigit() and (high.isdigit() or not dash)) or (dash and int(low) > int(high)):
            self.fail(f"{value!r} is not a range; write 5-250, or 10", param, ctx)
        return int(low), int(high or low)


_TOML = """\
[jobs.demo]
every = {interval_s}
spread = {spread}

[coordinator]
grace_s = {grace_s}

[worker]
drain_s = 10

[api]
port = {api_port}

[snmp]
port = {port}

[paths]
profiles = "{profiles}"

[log]
level = "warning"
"""
_CREDENTIALS = """\
[credentials.default]
protocol = "snmp"
version = "2c"
community = { env = "COMMUNITY" }
"""


@click.command("demo")
@click.option("--devices", type=click.IntRange(1, 4_000_000), default=1414, show_default=True, help="Devices to poll.")
@click.option("--interval", "interval_s", type=click.IntRange(1, 86_400), default=10, show_default=True,
              help="Seconds between two polls of a device.")  # fmt: skip
@click.option("--seconds", "seconds", type=click.FloatRange(min=1), help="End after this long; else Ctrl-C ends it.")
@click.option("--at-once", is_flag=True, help="All devices are due at the same second (spread = false).")
@click.option(
    "--silent", type=click.FloatRange(0, 1), default=0.11, show_default=True, help="Share that never answers."
)
@click.option("--profile", default="interfaces", show_default=True, help="What is polled of each device.")
@click.option("--profiles", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR",
              help="Profiles of your own, beside the built-in ones.")  # fmt: skip
@click.option("--interfaces", type=Span(), default="4-24", show_default=True, help="Interfaces of a device.")
@click.option(
    "--latency", type=Span(), default="5-250", show_default=True, help="Milliseconds a device takes to answer."
)
@click.option("--processes", type=click.IntRange(1, 64), default=2, show_default=True, help="Worker processes.")
@json_option
def command(as_json: bool, **options: object) -> int:
    """Poll a simulated fleet with everything real: Redis, PostgreSQL, coordinator, workers, SNMP.

    11 % of the devices are silent, as in life; the others take 5 to 250 ms to answer. It ends with Ctrl-C or after
    --seconds: dispatch stops, what is in flight is finished, and the audit says whether every poll is accounted for
    (exit code 1 if not).

    \b
    Examples:
      streampoll demo --seconds 30
      streampoll demo --devices 10000 --interval 60
      streampoll demo --seconds 20 --json | tail -1 | jq .missing
    """
    from streampoll.app.api_role import api_roles  # `--help` need not load the clients
    from streampoll.app.coordinator import coordinator_role
    from streampoll.app.files import Files
    from streampoll.app.worker import worker_role
    from streampoll.cli.supervise import unwind_on_stop
    from streampoll.config.settings import PoolSettings
    from streampoll.embedded.endpoints import read_settings
    from streampoll.logs import set_up_logs
    from streampoll.worker.supervisor import Supervisor

    demo = DemoOptions(as_json=as_json, **options)  # type: ignore[arg-type]
    _check_profile(demo)
    unwind_on_stop()
    with ExitStack() as stack:
        room = stack.enter_context(_room())
        if not as_json:
            click.echo("starting Redis, PostgreSQL and the fleet …", err=True)
        fleet = stack.enter_context(_fleet(demo))
        files = Files(_configure(room, demo, fleet), {"COMMUNITY": fleet.community})
        stack.enter_context(_servers(files.where))
        settings = read_settings(files.where, {})  # not the user's: a demo brings its own servers
        set_up_logs(settings.log, room / "log")
        pool = PoolSettings(processes=demo.processes, concurrency=1000)
        roles = [
            coordinator_role(files, settings),
            conductor_role(files, settings, demo, {fleet.pid: "fleet"}),
            worker_role(files, settings, "", pool),
            *api_roles(files, settings),
        ]
        if not as_json:
            click.echo(f"see it at {settings.api.url}", err=True)
        code = Supervisor(roles).run()
        if code:
            _show_end_of(room / "log")
        return code


def _check_profile(demo: DemoOptions) -> None:
    """Refuse a profile that there is none of, before anything is started."""
    from streampoll.config.load import load_profiles
    from streampoll.config.report import nearest
    from streampoll.config.settings import PathSettings, Settings

    directory = (demo.profiles or Path("profiles")).absolute()
    known = load_profiles(directory, Settings(paths=PathSettings(profiles=str(directory))))
    if demo.profile not in known:
        hint = nearest(demo.profile, known) or "`streampoll profile list` names them"
        raise ConfigError([Fault("--profile", f"there is no profile {demo.profile!r}", hint)])


class _Fleet:
    """The simulated fleet, running."""

    def __init__(self, pid: int, port: int, community: str) -> None:
        self.pid = pid
        self.port = port
        self.community = community


def _show_end_of(log: Path, lines: int = 20) -> None:
    """Show what the processes had to say, before it is removed."""
    if log.exists():
        for line in log.read_text(errors="replace").splitlines()[-lines:]:
            click.echo(line, err=True)


@contextmanager
def _room() -> Iterator[Path]:
    """Make a directory that PostgreSQL's user can enter, and remove it whatever happens."""
    room = Path(tempfile.mkdtemp(prefix="streampoll-demo-"))
    room.chmod(0o755)
    try:
        yield room
    finally:
        shutil.rmtree(room, ignore_errors=True)


@contextmanager
def _fleet(demo: DemoOptions) -> Iterator[_Fleet]:
    """Run the fleet in a process of its own, that Ctrl-C does not reach."""
    from streampoll.embedded.fleet.process import spawn
    from streampoll.embedded.fleet.settings import FleetSettings

    settings = FleetSettings(
        devices=demo.devices, silent=demo.silent, latency_ms=demo.latency, interfaces=demo.interfaces
    )
    run = spawn(settings)
    process = subprocess.Popen(
        run.arguments, env={**os.environ, **run.environment}, stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise StreampollError(f"the simulated fleet ended at once with exit code {process.wait()}")
        yield _Fleet(process.pid, json.loads(line)["port"], settings.community)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def _configure(room: Path, demo: DemoOptions, fleet: _Fleet) -> Path:
    """Write the configuration of the run."""
    from streampoll.config.settings import ApiSettings
    from streampoll.embedded.fleet.addresses import device_address
    from streampoll.embedded.places import wanted_port

    where = room / "conf"
    where.mkdir()
    toml = _TOML.format(
        interval_s=demo.interval_s,
        grace_s=min(10, demo.interval_s),
        spread=str(not demo.at_once).lower(),
        port=fleet.port,
        api_port=wanted_port(ApiSettings().port),
        profiles=(demo.profiles or Path("profiles")).absolute(),
    )
    (where / "streampoll.toml").write_text(toml, encoding="utf-8")
    (where / "credentials.toml").write_text(_CREDENTIALS, encoding="utf-8")
    with (where / "inventory.csv").open("w", encoding="utf-8") as file:
        file.write("name,address,profile\n")
        file.writelines(f"sim-{n + 1:06},{device_address(n)},{demo.profile}\n" for n in range(demo.devices))
    return where


@contextmanager
def _servers(where: Path) -> Iterator[None]:
    from streampoll.cli.up import embedded_servers
    from streampoll.config.load import load_settings

    settings = load_settings(where, {})
    with embedded_servers(where / settings.paths.data, settings):
        yield
