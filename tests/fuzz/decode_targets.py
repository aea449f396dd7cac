"""Bytes of entries and payloads, through their decoders: what they raise is EntryError, or nothing."""

import csv
import io
import json
import zlib
from contextlib import suppress
from random import Random

import msgpack

from streampoll.analysis.baseline import unpack
from streampoll.analysis.record import decode_record
from streampoll.cli.drawing import table_grids
from streampoll.errors import EntryError
from streampoll.model import Outcome, RatesRow, Result, Status, Table, TableTime, Target, Trace
from streampoll.results.codec import decode_payload, encode_payload
from streampoll.results.reader import StoredPoll
from streampoll.results.render import as_json, csv_rows, text_lines
from streampoll.shards.entries import (
    Entry,
    Kind,
    decode_fields,
    decode_ledger,
    decode_many_rates,
    decode_rates,
    decode_result,
    decode_results,
    decode_target,
    encode_fields,
    encode_rates,
    encode_result,
    encode_target,
)
from streampoll.shards.facts import decode_facts
from streampoll.shards.rows import apart, join, rows_in
from tests.fuzz.mutate import any_of, mutated, regrown, tree

NOW_S = 1_700_000_000
_TRACE = Trace(NOW_S, NOW_S + 0.1, NOW_S + 0.2, NOW_S + 0.3, NOW_S + 0.4, 1, "w")
_OUTCOME = Outcome(
    Status.PARTIAL,
    "cut",
    {"a": 1, "b": b"\xff", "c": None},
    {"t": Table(("x",), [("1", 2), ("2", None)], (TableTime(2, NOW_S + 0.3, 7),))},
    {"c": "gone"},
)
PAYLOAD = encode_payload(_OUTCOME, _TRACE)
TARGET = Target("d", "192.0.2.1", 161, "p", "c", {"snmp.retries": 1, "snmp.timeout_s": 0.5})
_LEDGER = msgpack.packb((0, NOW_S, 0, "7", 1, "8", 0, ""))
ENTRIES = (
    Entry(Kind.POLL, "j", NOW_S, NOW_S + 60, encode_target(TARGET)),
    encode_result(Result("j", "d", NOW_S, Status.OK, 5, PAYLOAD)),
    Entry(Kind.LEDGER, "j", NOW_S, 0, _LEDGER),
    join([encode_result(Result("j", name, NOW_S, Status.OK, 5, PAYLOAD)) for name in "de"]),
    encode_rates(RatesRow("j", "d", NOW_S, b"rates")),
    join([encode_rates(RatesRow("j", name, NOW_S, b"rates")) for name in "de"]),
)
_BODIES = [entry.body for entry in ENTRIES]


def entry_fields(random: Random) -> list[bytes]:
    """Return fields of an entry, some of them wrong."""
    fields = list(encode_fields(random.choice(ENTRIES)))
    for _ in range(random.randint(0, 3)):
        at = random.randrange(len(fields))
        fields[at] = _body(random, fields[at]) if at == len(fields) - 1 else mutated(random, fields[at])
    if random.random() < 0.5:
        fields[-1] = _body(random, fields[-1])
    if random.random() < 0.05:
        del fields[random.randrange(len(fields)) :]
    return fields


def _body(random: Random, right: bytes) -> bytes:
    """Return a body with a wrong value in a right place, or with wrong bytes."""
    if random.random() < 0.3:
        return any_of(random, _BODIES)
    try:
        packed: bytes = msgpack.packb(regrown(random, msgpack.unpackb(right)))
    except ValueError:  # it is spoilt already
        return mutated(random, right)
    return packed


def entries(random: Random) -> None:
    """What is no entry, or not of its kind, is an EntryError; what is no record of state counts as none."""
    with suppress(EntryError):
        entry = decode_fields(entry_fields(random))
        rows_in(entry)
        assert len(apart(entry)) in (0, rows_in(entry))
        for decode in (
            lambda: decode_target(entry.body), lambda: decode_result(entry), lambda: decode_results(entry),
            lambda: decode_ledger(entry), lambda: decode_rates(entry), lambda: decode_many_rates(entry),
            lambda: decode_facts(entry.body), lambda: unpack(entry.body),
        ):  # fmt: skip
            with suppress(EntryError, ValueError):
                decode()
        decode_record(entry.body).baseline("j")


def payloads(random: Random) -> None:
    """What is no payload is one too; what is one can be shown."""
    right = zlib.decompress(PAYLOAD[1:], wbits=31)
    fields = msgpack.packb(random.choice([tree, lambda random: regrown(random, msgpack.unpackb(right))])(random))
    wrapped = PAYLOAD[:1] + zlib.compress(random.choice([fields, any_of(random, [fields, right])]), wbits=31)
    with suppress(EntryError):
        outcome, trace = decode_payload(random.choice([any_of(random, [PAYLOAD]), wrapped, wrapped]))
        _show(StoredPoll("j", "d", NOW_S, outcome.status, 1, 2, outcome, trace))


def _show(poll: StoredPoll) -> None:
    """Write a poll as `streampoll results` would, in every form."""
    json.dumps(as_json(poll), ensure_ascii=False, allow_nan=False).encode()
    csv.writer(io.StringIO()).writerows(csv_rows(poll))
    assert all(line.isprintable() for line in text_lines(poll)), "it can drive a terminal"
    for name, table in poll.outcome.tables.items():
        list(table_grids(name, table, 80))


TARGETS = {"entries": entries, "payloads": payloads}
