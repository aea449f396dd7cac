"""Files of the configuration, each kind by itself: one that can't be used is a ConfigError that says where.

Half of them have wrong bytes; half are right TOML, JSON or YAML with a strange value in one place.
"""

import csv
import io
import json
import tempfile
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import yaml

from streampoll.config import profiles as reading
from streampoll.config.exporter.auths import credentials_text
from streampoll.config.exporter.profile import make_profiles
from streampoll.config.exporter.read import read_exporter
from streampoll.config.load import load
from streampoll.config.profiles import BUILTIN
from streampoll.config.report import Report
from streampoll.errors import ConfigError, Fault
from tests.fuzz.mutate import any_of, regrown


class OneFile:
    """A folder with one file in it."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def glob(self, pattern: str) -> list[Path]:
        return [self._file]


_TOP = Path(__file__).parents[2]
_SYSTEM = OneFile(BUILTIN / "system.toml")
_CONF = {name: (_TOP / "conf" / name).read_bytes() for name in ("streampoll.toml", "credentials.toml")}
_PROFILES = [
    path.read_bytes() for folder in (BUILTIN, _TOP / "conf/profiles") for path in sorted(folder.glob("*.toml"))
]
_RULES = (
    (_TOP / "conf/rules.toml").read_bytes()
    + b"""
[state]
down_after = 3
flap_window = "30m"
[maintenance.nightly]
cron = "0 2 * * sun"
hold = "2h"
select = { site = "zurich" }
"""
)
_EXPORTERS = [path.read_bytes() for path in sorted((_TOP / "tests/exporter").glob("*.yml"))]
_ENVIRON = {"COMMUNITY": "public", "A": "12345678"}
_SETTINGS = """[redis]
url = "redis://127.0.0.1:6379/0"
[shards]
count = 4
[queues.polling]
claim_idle_s = "30s"
[pools.general]
queues = ["polling", "results"]
processes = 2
[jobs.all]
every = "60s"
profile = "own"
[jobs.nightly]
cron = "0 3 * * *"
timezone = "Europe/Berlin"
profile = "system"
select = { groups = ["core"], networks = ["192.0.2.0/24"] }
"""
_PROFILE = """extends = ["system"]
[scalars]
uptime = { oid = "1.3.6.1.2.1.1.3.0", type = "ticks" }
[tables.interfaces]
oid = "1.3.6.1.2.1.2.2.1"
[tables.interfaces.columns]
name = { oid = "1.3.6.1.2.1.31.1.1.1.1", type = "text" }
status = { oid = "1.3.6.1.2.1.2.2.1.8", type = "integer", enum = { 1 = "up", 2 = "down" } }
"""
_CREDENTIALS = """[credentials.default]
version = "2c"
community = { env = "COMMUNITY" }
[credentials.user]
version = "3"
user = "u"
auth_protocol = "sha"
auth_key = { env = "A" }
"""
_DEVICES = [
    {"name": "sw1", "address": "192.0.2.1", "port": 161, "groups": ["core"], "tags": ["a"], "interval": "5m",
     "enabled": True, "snmp": {"retries": 1, "timeout_s": 0.5}},
    {"name": "sw2", "address": "2001:db8::1", "parent": "sw1", "site": "x"},
]  # fmt: skip
_CSV = b"name,address,port,groups,tags,snmp.retries\nsw1,192.0.2.1,161,core;edge,a,1\nsw2,2001:db8::1,,,,\n"
_EVIL = {
    "inventory.yaml": (
        b"!!python/object/apply:os.abort []\n",
        b"- !!python/name:os.abort\n",
        b"- &a [*a, *a]\n",
        b"- " * 100_000,
        b"a: &a [x,x,x,x]\n" + b"".join(b"%c: &%c [*%c,*%c,*%c]\n" % (i + 1, i + 1, i, i, i) for i in range(97, 121)),
    ),
    "inventory.json": (b'{"__class__": "os.abort"}', b'[{"name": 1e999}]', b"[" * 5000),
}
_RIGHT = {
    "streampoll.toml": _SETTINGS.encode(),
    "profiles/own.toml": _PROFILE.encode(),
    "credentials.toml": _CREDENTIALS.encode(),
}


def _bad(random: Random, right: bytes, read: Callable[[bytes], Any], write: Callable[[Any], bytes]) -> bytes:
    """Return a file with wrong bytes, or one that can be read and has something strange in it."""
    if random.random() < 0.5:
        return any_of(random, [right])
    try:
        return write(regrown(random, read(right)))
    except (TypeError, ValueError, AttributeError, csv.Error, yaml.YAMLError):  # the format can't say that
        return any_of(random, [right])


def as_toml(value: Any) -> str:
    """Write a value as TOML."""
    match value:
        case bool():
            return str(value).lower()
        case dict():
            return "{" + ", ".join(f"{_quoted(str(key))} = {as_toml(inner)}" for key, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(as_toml, value)) + "]"
        case str():
            return _quoted(value)
        case int() | float():
            return str(value)
    raise TypeError("TOML has no such value")


def _quoted(text: str) -> str:
    return json.dumps(text).replace("\x7f", "\\u007f")


def _toml_file(value: Any) -> bytes:
    return "".join(f"{_quoted(str(key))} = {as_toml(inner)}\n" for key, inner in value.items()).encode()


def _read_toml(data: bytes) -> Any:
    return tomllib.loads(data.decode())


def settings(random: Random) -> None:
    """streampoll.toml."""
    right = random.choice((_RIGHT["streampoll.toml"], _CONF["streampoll.toml"]))
    _refuses(random, "streampoll.toml", _bad(random, right, _read_toml, _toml_file))


def profiles(random: Random) -> None:
    """A profile of any protocol."""
    right = random.choice([_RIGHT["profiles/own.toml"], *_PROFILES])
    _refuses(random, "profiles/own.toml", _bad(random, right, _read_toml, _toml_file))


def credentials(random: Random) -> None:
    """credentials.toml."""
    right = random.choice((_RIGHT["credentials.toml"], _CONF["credentials.toml"]))
    _refuses(random, "credentials.toml", _bad(random, right, _read_toml, _toml_file))


def rules(random: Random) -> None:
    """rules.toml."""
    _refuses(random, "rules.toml", _bad(random, _RULES, _read_toml, _toml_file))


def exporter(random: Random) -> None:
    """snmp.yml of snmp_exporter: what is made of it are faults, or profiles that can be read."""
    data = _bad(random, random.choice(_EXPORTERS), yaml.safe_load, lambda value: yaml.safe_dump(value).encode())
    report = Report()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "snmp.yml")
        path.write_bytes(data)
        found = read_exporter(path, path.name, report)
    texts = [made.text for made in make_profiles(found, (), path.name, report)] if found else []
    for text in [*texts, *([credentials_text(found.auths)] if found else [])]:
        tomllib.loads(text)
    _are_clear(report.faults)


def inventory(random: Random) -> None:
    """An inventory, in each of its formats."""
    name = random.choice(("inventory.csv", "inventory.json", "inventory.yaml", "inventory.toml"))
    if random.random() < 0.02 and name in _EVIL:
        data = random.choice(_EVIL[name])
    elif name == "inventory.csv":
        data = _bad(random, _CSV, _read_csv, _write_csv)
    elif name == "inventory.json":
        data = _bad(random, json.dumps(_DEVICES).encode(), json.loads, lambda rows: json.dumps(rows).encode())
    elif name == "inventory.yaml":
        data = _bad(
            random, yaml.safe_dump(_DEVICES).encode(), yaml.safe_load, lambda rows: yaml.safe_dump(rows).encode()
        )
    else:
        data = _bad(random, _toml_file({"devices": _DEVICES}), _read_toml, _toml_file)
    _refuses(random, name, data)


def _read_csv(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode())))


def _write_csv(rows: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _refuses(random: Random, name: str, data: bytes) -> None:
    """Load a configuration with one bad file; its faults have a place, a text, and one line each."""
    with tempfile.TemporaryDirectory() as directory:
        for each, right in {**_RIGHT, name: data}.items():
            path = Path(directory, each)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data if each == name else right)
            path.chmod(0o600)
        if not name.startswith("inventory"):
            Path(directory, "inventory.csv").write_bytes(_CSV)
        with patch.object(reading, "BUILTIN", _SYSTEM):  # all the built-in ones would take most of the time
            faults = _faults(Path(directory))
    _are_clear(faults)


def _are_clear(faults: Sequence[Fault]) -> None:
    """Each fault has a place and a text, in one line."""
    assert all(fault.where and fault.what and "\n" not in str(fault) for fault in faults), faults


def _faults(directory: Path) -> Sequence[Fault]:
    try:
        load(directory, _ENVIRON)
    except ConfigError as error:
        return error.faults or [Fault("", "")]  # a refusal without a fault is one that says nothing
    return ()


TARGETS = {
    "settings": settings,
    "profiles": profiles,
    "credentials": credentials,
    "inventory": inventory,
    "exporter": exporter,
    "rules": rules,
}
