"""A device's own settings in the inventory: `snmp.timeout_s` as a column, a dotted key or a table `snmp`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from msgspec import Meta

from streampoll.config.convert import Place, convert, from_text
from streampoll.config.report import Report, nearest
from streampoll.config.settings import HttpSettings, SnmpSettings, SshSettings
from streampoll.config.source import nowhere
from streampoll.config.table import Setting, settings_of
from streampoll.model import Scalar

_SECRET_WORDS = (
    "community", "password", "passphrase", "passwd", "secret", "token",
    "auth_key", "priv_key", "api_key", "private_key",
)  # fmt: skip

_SSH = ("port", "connect_timeout_s", "command_timeout_s", "idle_s", "max_sessions", "max_output_bytes")


@dataclass(frozen=True, slots=True)
class SnmpOverrides:
    """What only a device has, and no section of the settings."""

    version: Annotated[Literal["1", "2c"], Meta(description="a community in this version, not its credential's")] = "2c"


@dataclass(frozen=True, slots=True)
class HttpOverrides:
    """What only a device has, and no section of the settings."""

    port: Annotated[int, Meta(ge=1, le=65535, description="TCP port of HTTP, where `port` is of another protocol")] = (
        443
    )
    tls_fingerprint: Annotated[str, Meta(description="SHA-256 of its certificate, by which alone it is known")] = ""
    tls_server_name: Annotated[str, Meta(description="name in its certificate, where it is polled by address")] = ""


@dataclass(frozen=True, slots=True)
class SshOverrides:
    """What only a device has, and no section of the settings."""

    legacy: Annotated[bool, Meta(description="algorithms with SHA-1 and CBC, for a device that has no others")] = False


def overridable() -> dict[str, Setting]:
    """Return the settings that a device may override, by their dotted name: those of an agent, not of a process."""
    snmp = settings_of(SnmpSettings)
    names = (
        "timeout_s", "retries", "window", "gap_ms", "max_varbinds", "max_repetitions", "max_reply_bytes",
        "follow_engine_id", "allow_boots_back",
    )  # fmt: skip
    http, ssh = settings_of(HttpSettings), settings_of(SshSettings)
    return {
        **{f"snmp.{name}": snmp[name] for name in names},
        **{f"snmp.{name}": setting for name, setting in settings_of(SnmpOverrides).items()},
        **{f"http.{name}": http[name] for name in ("connect_timeout_s", "read_timeout_s", "tls_ca", "tls_verify")},
        **{f"http.{name}": setting for name, setting in settings_of(HttpOverrides).items()},
        **{f"ssh.{name}": ssh[name] for name in _SSH},
        **{f"ssh.{name}": setting for name, setting in settings_of(SshOverrides).items()},
    }


class Overrides:
    """Reads overrides. The same few are repeated over thousands of lines, so what was read once is kept."""

    def __init__(self) -> None:
        self._known = overridable()
        self._kept: dict[tuple[tuple[str, Any], ...], Mapping[str, Scalar] | None] = {}

    def read(self, row: Mapping[str, Any], keys: Iterable[str]) -> Mapping[str, Scalar] | None:
        """Return the overrides that a row has under `keys`; None if one is wrong (`explain` says which)."""
        given = tuple(_flat(row, keys))
        try:
            if given not in self._kept:
                self._kept[given] = self._convert(given, Place(nowhere(""), Report()))
            return self._kept[given]
        except TypeError:  # a list or table as a value
            return None

    def explain(self, row: Mapping[str, Any], columns: Mapping[str, Setting], place: Place) -> Mapping[str, Scalar]:
        """Return the overrides, with a fault for each that is wrong, unknown or a secret."""
        return self._convert(_flat(row, [key for key in row if key not in columns]), place, columns) or {}

    def check_header(self, names: Iterable[str], columns: Iterable[str], where: str, report: Report) -> bool:
        """Return True if every column of a CSV is known; else each that isn't is a fault, once and not a line."""
        place = Place(nowhere(where), report)
        wrong = [name for name in names if name not in columns and self._refused(name, columns, place.at(name))]
        return not wrong

    def _convert(
        self, given: Iterable[tuple[str, Any]], place: Place, columns: Iterable[str] = ()
    ) -> Mapping[str, Scalar] | None:
        before = len(place.report.faults)
        made: dict[str, Scalar] = {}
        for key, value in given:
            if not self._refused(key, columns, place.at(*key.split("."))):
                setting = self._known[key]
                typed = from_text(setting, value) if isinstance(value, str) else value
                made[key] = convert(setting, typed, place.at(*key.split(".")))
        return made if len(place.report.faults) == before else None

    def _refused(self, key: str, columns: Iterable[str], place: Place) -> bool:
        """Return True, with a fault, for a key that no device has."""
        if is_secret(key):
            place.fault("a secret does not belong in the inventory", "put it in credentials.toml; here, name it")
        elif key not in self._known:
            place.fault("unknown key", nearest(key, [*columns, *self._known]))
        return key not in self._known


def is_secret(key: str) -> bool:
    """Return True for a key that can only hold a secret."""
    return any(word in key.lower().replace("-", "_") for word in _SECRET_WORDS)


def _flat(row: Mapping[str, Any], keys: Iterable[str]) -> Iterable[tuple[str, Any]]:
    """Yield what stands under these keys, with the keys of a table inside dotted."""
    for key in keys:
        value = row[key]
        if isinstance(value, Mapping):
            yield from ((f"{key}.{name}", each) for name, each in value.items())
        else:
            yield str(key), value
