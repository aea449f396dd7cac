"""From the words of an SSH or HTTP step, references filled in, to a plan: read as a profile's are, and as strictly.

So the list of commands that only read holds for workflows too, also for a command that a reference has completed.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlsplit

from streampoll.config.convert import Place
from streampoll.config.profile_http import HttpProfiles
from streampoll.config.profile_ssh import SshProfiles
from streampoll.http.plan import HttpPlan
from streampoll.ssh.plan import SshPlan
from streampoll.workflows.reference import Unfilled, fill

_SETTINGS: Final = ("tls", "port", "http2")
_SCHEMES: Final = {"https": True, "http": False}


def ssh_plan(name: str, spec: Any, place: Place) -> SshPlan | None:
    """Return what an SSH step asks, or None with faults."""
    table = dict(place.table(spec))
    commands = table.get("commands")
    if isinstance(commands, str):
        commands = [commands]
    if isinstance(commands, list) and all(isinstance(each, str) for each in commands):
        table["commands"] = {line: {"command": line} for line in commands}
        if any(not line.isprintable() for line in commands):
            place.at("commands").fault("a command is one line of printable text", "write one command an element")
            return None
    reader = SshProfiles()
    draft = reader.read(table, place)
    return None if draft is None else reader.compile(name, [draft], place)


def http_plan(name: str, spec: Any, place: Place) -> tuple[HttpPlan, str] | None:
    """Return what an HTTP step asks, and the host ("": the device itself); None with faults."""
    table = dict(place.table(spec))
    host = ""
    if "url" in table:
        split = _split(table.pop("url"), place.at("url"))
        if split is None:
            return None
        host, settings, path, query = split
        table |= settings
        table["path"] = path
        table["query"] = {**query, **table.get("query", {})}
    settings = {key: table.pop(key) for key in _SETTINGS if key in table}
    reader = HttpProfiles()
    draft = reader.read({"requests": {name: table}, **settings}, place)
    plan = None if draft is None else reader.compile(name, [draft], place)
    return None if plan is None else (plan, host)


def _split(url: Any, place: Place) -> tuple[str, dict[str, Any], str, dict[str, str]] | None:
    """Take a URL apart into host, tls and port, path and query."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except (ValueError, AttributeError, TypeError):
        parts, port = urlsplit(""), None
    if parts.scheme not in _SCHEMES or not parts.hostname or parts.username or parts.fragment:
        place.fault("is not a URL that can be asked", 'write one as "https://host/path", without user and password')
        return None
    settings: dict[str, Any] = {"tls": _SCHEMES[parts.scheme]}
    if port:
        settings["port"] = port
    return parts.hostname, settings, parts.path or "/", dict(parse_qsl(parts.query, keep_blank_values=True))


def fill_http(spec: Any, context: Mapping[str, Any]) -> Any:
    """Fill an HTTP step's words in; what goes into a path or URL is percent-encoded. Raises Unfilled."""
    if not isinstance(spec, Mapping):
        return spec
    filled = {key: fill(each, context, _doubled) for key, each in spec.items() if key not in ("path", "url")}
    for key in ("path", "url"):
        if key in spec:
            text = str(spec[key]).strip()
            alone = text.startswith("{{") and text.endswith("}}") and text.count("{{") == 1
            filled[key] = fill(text, context, _doubled if alone else _encoded)
    return filled


def _doubled(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _encoded(text: str) -> str:
    if text in ("", ".", ".."):
        raise Unfilled(f"{text!r} can't stand in a path")
    return quote(text, safe="")
