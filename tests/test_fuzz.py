"""A short run of `bin/fuzz`: wrong bytes wherever bytes come in. Deeper: `bin/fuzz --minutes 30`.

And what it rests on: a mistake put in is found, and there is nothing in the product that bytes could execute.
"""

import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

import streampoll
from streampoll.config.source import Source
from streampoll.errors import EntryError
from streampoll.pollers.handler import PollHandler
from streampoll.results import batch
from streampoll.results.store import Store
from streampoll.shards.entries import Kind, decode_target
from streampoll.worker.port import Finish
from tests.fuzz import decode_targets, file_targets, snmp_targets
from tests.fuzz.row_targets import stored
from tests.fuzz.run import TARGETS, first_finding
from tests.fuzz.source import dangers

SEEDS = {
    "entries": 10_000, "payloads": 5_000, "polling": 150, "results": 150, "codec": 20_000, "engine": 300,
    "engine_v3": 40, "collect": 10, "targets": 1_000, "settings": 40, "profiles": 30, "credentials": 40, "rules": 40,
    "inventory": 60, "exporter": 60, "times": 5_000, "options": 1_500, "requests": 500, "commands": 250,
}  # fmt: skip
PACKAGE = Path(streampoll.__file__).parent
COMMAND = [sys.executable, "-m", "tests.fuzz", "--minutes", "0"]


@pytest.mark.parametrize("name", SEEDS)
def test_wrong_bytes_crash_nothing_and_nothing_is_dropped_without_a_cause(name: str) -> None:
    assert first_finding(name, range(SEEDS[name])) == ""


def test_no_entry_looks_like_an_outage_of_postgres(fresh_database: str) -> None:
    for seed in range(12):
        stored(Random(f"rows {seed}"), fresh_database)


def test_every_target_is_in_the_short_run() -> None:
    assert {*SEEDS, "rows"} == TARGETS.keys()


def _unforeseen(*_: Any, **__: Any) -> Any:
    raise KeyError("planted")


@pytest.mark.parametrize(
    ("name", "owner", "attribute"),
    [
        ("entries", decode_targets, "decode_fields"),
        ("payloads", decode_targets, "decode_payload"),
        ("polling", "streampoll.pollers.handler", "decode_target"),
        ("results", batch._DECODE, Kind.RESULT),
        ("results", batch._DECODE, Kind.LEDGER),
        ("results", batch._DECODE, Kind.RATES),
        ("results", batch._DECODE_SEVERAL, Kind.RESULTS),
        ("results", batch._DECODE_SEVERAL, Kind.MANY_RATES),
        ("codec", snmp_targets, "read_varbinds"),
        ("engine", "streampoll.snmp.courier", "read_head"),
        ("engine_v3", "streampoll.snmp.courier", "read_head_v3"),
        ("collect", snmp_targets, "encode_payload"),
        ("inventory", Source, "where"),
        ("credentials", file_targets, "load"),
    ],
)
def test_a_decoder_that_raises_what_nobody_foresaw_is_found(
    monkeypatch: pytest.MonkeyPatch, name: str, owner: Any, attribute: str
) -> None:
    if isinstance(owner, str):
        monkeypatch.setattr(f"{owner}.{attribute}", _unforeseen)
    elif isinstance(owner, dict):
        monkeypatch.setitem(owner, attribute, _unforeseen)
    else:
        monkeypatch.setattr(owner, attribute, _unforeseen)

    found = first_finding(name, range(200))

    assert "planted" in found or "a bug in the handler" in found
    assert f"again: bin/fuzz --minutes 0 --seed {found.rpartition('--seed ')[2].split()[0]} {name}" in found


@pytest.mark.parametrize(("name", "handler"), [("polling", PollHandler), ("results", Store)])
def test_an_entry_that_is_dropped_without_a_word_is_found(
    monkeypatch: pytest.MonkeyPatch, name: str, handler: Any
) -> None:
    real = handler.handle

    async def handle(self: Any, batch: Any) -> Any:
        return [Finish() if type(said).__name__ in ("Release", "Bury") else said for said in await real(self, batch)]

    monkeypatch.setattr(handler, "handle", handle)

    assert "neither a letter nor a row" in first_finding(name, range(200))


def test_a_letter_has_a_cause_whatever_its_handler_says(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(body: bytes) -> Any:
        raise EntryError("")

    monkeypatch.setattr("streampoll.results.batch.decode_result", lambda entry: silent(entry.body))

    assert first_finding("results", range(50)) == ""


def test_no_module_can_be_made_to_execute_or_load_anything_by_a_message() -> None:
    found = {
        f"{path.relative_to(PACKAGE)}:{danger}"
        for path in PACKAGE.rglob("*.py")
        for danger in dangers(path.read_text())
    }

    assert found == set()


@pytest.mark.parametrize(
    "planted",
    [
        "import pickle",
        "from marshal import loads",
        "eval(text)",
        "exec(text)",
        "__import__(name)",
        "yaml.load(text)",
        "yaml.load(text, Loader=yaml.Loader)",
        "yaml.unsafe_load(text)",
        "from yaml import unsafe_load",
        "msgpack.unpackb(body, ext_hook=make)",
        "msgpack.unpackb(body, object_hook=make)",
        "json.loads(text, object_hook=make)",
    ],
)
def test_what_could_is_found(planted: str) -> None:
    assert list(dangers(planted))


def test_msgpack_builds_no_object_of_its_extensions() -> None:
    with pytest.raises(EntryError):
        decode_target(b"\xc7\x03\x2a\x01\x02\x03")  # an extension of type 42


def test_the_command_repeats_a_run_by_its_seed_and_says_how_it_ended() -> None:
    ran = subprocess.run([*COMMAND, "--seed", "7", "codec"], capture_output=True, text=True, timeout=60, check=False)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == "nothing found: 50 runs of 1 target, seeds 7 to 56\n"


def test_a_target_that_is_not_there_is_a_clear_mistake() -> None:
    ran = subprocess.run([*COMMAND, "codecs"], capture_output=True, text=True, timeout=60, check=False)

    assert ran.returncode == 2
    assert "no target codecs; there are entries, payloads" in ran.stderr
