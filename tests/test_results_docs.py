"""docs/protocol.md against the code."""

import re
import zlib
from pathlib import Path

import msgpack

from streampoll.model import Outcome, Status
from streampoll.results.codec import VERSION, encode_payload
from streampoll.shards.entries import Entry, Kind, encode_fields
from tests.results_support import TRACE, bench

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "protocol.md").read_text()


async def test_every_column_is_described(fresh_database: str) -> None:
    async with bench(fresh_database) as b:
        rows = await b.connection.fetch(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
            " AND table_name !~ '_[0-9]{8}$'"
        )
    described = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE.partition("## Tables")[2], re.MULTILINE))
    missing = [f"{table}.{column}" for table, column in rows if f"`{column}`" not in described.get(table, "")]
    assert missing == []


def test_every_status_has_its_number() -> None:
    described = re.findall(r"^\| (\w+) \| (\d+) \|", PAGE, re.MULTILINE)
    assert described == [(status.word, str(int(status))) for status in Status]


def test_every_field_and_kind_of_an_entry_is_described() -> None:
    names = encode_fields(Entry("poll", "j", 0, 0, b""))[0::2]
    assert all(f"| `{name.decode()}` |" in PAGE for name in names)
    assert all(f"`{kind}`" in PAGE for kind in Kind)


def test_a_payload_can_be_read_as_the_page_says() -> None:
    payload = encode_payload(Outcome(Status.OK, values={"x": 1}), TRACE)
    assert payload[:1] == VERSION
    fields = msgpack.unpackb(zlib.decompress(payload[1:], wbits=31))
    assert (fields[0], fields[2], fields[9][0]) == (0, {"x": 1}, round(TRACE.dispatched * 1e6))
