"""`streampoll profile`: profiles listed and shown, compiled from MIB names, made of an snmp.yml."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich import box
from rich.table import Table
from rich.text import Text

from streampoll.cli.drawing import table_console
from streampoll.cli.names import offer_profiles
from streampoll.cli.options import config_option, json_line, json_option
from streampoll.cli.profile_view import as_json, grids, protocol_of
from streampoll.cli.progress import followed
from streampoll.config.load import FILE, load_profiles, load_settings, source_directory
from streampoll.config.profile_port import PollPlan
from streampoll.config.profiles import BUILTIN
from streampoll.config.report import Report, nearest
from streampoll.config.settings import Settings
from streampoll.config.source import read_toml
from streampoll.errors import ConfigError, Fault
from streampoll.snmp.plan import CollectPlan

if TYPE_CHECKING:
    from streampoll.config.exporter.words import Exporter

STDOUT = "-"


@click.group("profile")
def command() -> None:
    """Look at profiles, and make them: from MIB names, or from snmp_exporter's snmp.yml.

    \b
    Examples:
      streampoll profile list
      streampoll profile show interfaces
      streampoll profile compile pumps.toml --mibs vendor/mibs -o profiles/pumps.toml
      streampoll profile import snmp.yml --module if_mib -o profiles
    """


# -- what there is


@command.command("list")
@config_option
@json_option
def list_profiles(config: Path, as_json: bool) -> int:
    """List every profile: the built-in ones, and those of the configuration."""
    plans, own = _profiles(config)
    rows = [_row(name, plan, name in own) for name, plan in sorted(plans.items())]
    if as_json:
        for row in rows:
            click.echo(json.dumps(row))
        return 0
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("profile", "protocol", "collects", "where from"):
        grid.add_column(title, no_wrap=title == "profile", overflow="fold")
    for row in rows:
        grid.add_row(*(Text(str(row[key])) for key in ("profile", "protocol", "collects", "origin")))
    table_console().print(grid)
    return 0


@command.command("show")
@click.argument("name", shell_complete=offer_profiles)
@config_option
@json_option
def show(name: str, config: Path, **options: bool) -> int:
    """Show what a profile collects, with all that it extends."""
    plans, _ = _profiles(config)
    if name not in plans:
        hint = nearest(name, plans) or "`streampoll profile list` names them"
        raise ConfigError([Fault("NAME", f"there is no profile {name!r}", hint)])
    if options["as_json"]:
        click.echo(json_line(as_json(plans[name])))
        return 0
    console = table_console()
    for grid in grids(plans[name]):
        console.print(grid)
    return 0


def _profiles(config: Path) -> tuple[Mapping[str, PollPlan], set[str]]:
    """Return every profile, and the names of those that the configuration has files of."""
    is_configured = config.suffix == ".toml" or (config / FILE).exists()
    settings = load_settings(config, os.environ) if is_configured else Settings()
    directory = source_directory(config) / settings.paths.profiles
    return load_profiles(config, settings), {path.stem for path in directory.glob("*.toml")}


def _row(name: str, plan: PollPlan, is_own: bool) -> dict[str, Any]:
    origin = "configuration" if is_own else "built-in"
    if is_own and (BUILTIN / f"{name}.toml").exists():
        origin = "configuration, in the place of the built-in"
    return {"profile": name, "protocol": protocol_of(plan), "collects": _summary(plan), "origin": origin}


def _summary(plan: PollPlan) -> str:
    if not isinstance(plan, CollectPlan):
        return ""
    tables = [f"{table.name} ({len(table.columns)})" for table in plan.tables]
    return ", ".join([*([f"{len(plan.scalars)} scalars"] if plan.scalars else []), *tables])


# -- what can be made


@command.command("compile")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--mibs", multiple=True, metavar="DIR", type=click.Path(path_type=Path), help="Where to look for MIBs first."
)
@click.option("-o", "--output", metavar="PATH", help="File to write, or directory if there are several; - is stdout.")
@json_option
def compile_files(files: Sequence[Path], mibs: Sequence[Path], output: str | None, as_json: bool) -> int:
    """Turn the MIB names in profiles into OIDs, so that no MIB is needed where they are used.

    MIBs are looked for in --mibs, in MIBDIRS, and where the system has them; never on a network. What the MIB knows and
    the profile does not say is filled in: type, enum, display, unit, and the index of a table.

    \b
    Examples:
      streampoll profile compile pumps.toml
      streampoll profile compile pumps.toml --mibs vendor/mibs -o profiles/pumps.toml
      streampoll profile compile src/*.toml --mibs vendor/mibs -o profiles
    """
    from streampoll.config.convert import Place
    from streampoll.config.mib.compile import compile_profile
    from streampoll.config.mib.resolver import Resolver
    from streampoll.config.mib.shelf import Shelf, shelf_directories

    report = Report()
    _check_files(files)
    _check_directories(mibs, report)
    _check_output(files, output, report)
    resolver = Resolver(Shelf(shelf_directories(mibs, os.environ)))
    sources = [(path, read_toml(path, str(path), report)) for path in files]
    made = [(path, compile_profile(Place(source, report), resolver)) for path, source in sources if source is not None]
    report.refuse()
    for path, text in made:
        target = _target(path, output, len(files))
        if as_json:
            click.echo(json.dumps({"source": str(path), **_written(target, text)}))
        else:
            _write(target, text)
    return 0


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--module", "modules", multiple=True, metavar="NAME", help="Only this module; may be said several times.")
@click.option("-o", "--output", metavar="DIR", help="Directory to write to, or - for stdout.  [default: the profiles']")
@click.option("--force", is_flag=True, help="Replace files that are there.")
@config_option
@json_option
def import_file(
    file: Path, modules: Sequence[str], output: str | None, force: bool, config: Path, as_json: bool
) -> int:
    """Make profiles of the modules in an snmp.yml of snmp_exporter.

    What a profile can't say is named, line by line, and stands in the profile too. Secrets are not copied: for auths,
    lines for credentials.toml are printed that say where each secret may be kept.

    \b
    Examples:
      streampoll profile import snmp.yml --config /etc/streampoll
      streampoll profile import snmp.yml --module if_mib --module apcups -o profiles
      streampoll profile import snmp.yml --module if_mib -o -
    """
    from streampoll.config.exporter.auths import credentials_text
    from streampoll.config.exporter.profile import make_profiles

    report = Report()
    _check_files([file])
    exporter = _exporter(file, modules, report)
    made = make_profiles(exporter, modules, str(file), report)
    directory = None if output == STDOUT else Path(output) if output else _directory(config)
    targets = {each.name: directory / f"{each.name}.toml" if directory else None for each in made}
    _refuse_existing([path for path in targets.values() if path and path.exists() and not force])
    notes = _notes(exporter, modules, report)
    for note in notes:
        click.echo(f"note: {note}", err=True)
    credentials = credentials_text(exporter.auths) if directory else ""
    if as_json:
        written = [{"module": each.module, **_written(targets[each.name], each.text)} for each in made]
        click.echo(json.dumps({"profiles": written, "notes": notes, "credentials": credentials}))
        return 0
    for each in followed("import", made):
        _write(targets[each.name], each.text)
    click.echo(credentials, nl=False)
    return 0


def _exporter(file: Path, chosen: Sequence[str], report: Report) -> "Exporter":
    """Read an snmp.yml; refuse one that has not the modules that were chosen."""
    from streampoll.config.exporter.read import read_exporter

    exporter = read_exporter(file, str(file), report)
    report.refuse()
    assert exporter is not None
    known = [module.name for module in exporter.modules]
    for name in set(chosen) - set(known):
        report.fault("--module", f"{file} has no module {name!r}", nearest(name, known))
    report.refuse()
    return exporter


def _notes(exporter: "Exporter", chosen: Sequence[str], report: Report) -> list[str]:
    """Return what is not taken over of the modules that were chosen (all if none)."""
    from streampoll.config.exporter.profile import concerns

    others = [module for module in exporter.modules if chosen and module.name not in chosen]
    return [str(each) for each in report.notices if not any(concerns(each, other) for other in others)]


def _directory(config: Path) -> Path:
    """Return the directory of the configuration's profiles."""
    is_configured = config.suffix == ".toml" or (config / FILE).exists()
    if not is_configured:
        what = f"there is no {FILE} in {config}, so no directory for profiles"
        raise ConfigError([Fault("--output", what, "name one, as -o profiles, or a configuration: --config DIR")])
    return source_directory(config) / load_settings(config, os.environ).paths.profiles


def _refuse_existing(paths: Sequence[Path]) -> None:
    faults = [Fault(str(path), "is there already", "--force replaces it; -o names another directory") for path in paths]
    if faults:
        raise ConfigError(faults)


def _check_files(files: Sequence[Path]) -> None:
    if faults := [Fault(str(path), "no such file") for path in files if not path.exists()]:
        raise ConfigError(faults)


def _check_directories(mibs: Sequence[Path], report: Report) -> None:
    for directory in mibs:
        if not directory.is_dir():
            report.fault("--mibs", f"{directory} is no directory", "name the directory that the MIB files are in")


def _check_output(files: Sequence[Path], output: str | None, report: Report) -> None:
    if len(files) > 1 and output not in (None, STDOUT) and not Path(str(output)).is_dir():
        report.fault("--output", f"{output} is no directory", "several profiles need one")


def _target(path: Path, output: str | None, count: int) -> Path | None:
    """Return the file to write; None is stdout."""
    if output is None or output == STDOUT:
        return None
    return Path(output) / path.name if count > 1 or Path(output).is_dir() else Path(output)


def _written(path: Path | None, text: str) -> dict[str, str | None]:
    """Write a text to its file; return which that is, or the text where there is none."""
    if path is None:
        return {"wrote": None, "text": text}
    _write(path, text)
    return {"wrote": str(path), "text": None}


def _write(path: Path | None, text: str) -> None:
    """Write a text to a file, or to stdout; what was written is said on stderr."""
    if path is None:
        sys.stdout.write(text)
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError([Fault(str(path), f"can't be written: {error.strerror}", "check the directory")]) from None
    click.echo(f"wrote {path}", err=True)
