"""A result as one line of JSON: what `streampoll results --format json` prints of it. Pure."""

import msgspec

from streampoll.outputs.port import Decoded
from streampoll.results.reader import StoredPoll
from streampoll.results.render import as_json


def line_of(decoded: Decoded) -> bytes:
    """Return the line, without its end; what is in it never has one."""
    result = decoded.result
    poll = StoredPoll(
        result.job, result.device, result.slot, result.status, result.duration_ms, 0, decoded.outcome, decoded.trace
    )
    written = as_json(poll)
    del written["stored_after_ms"]  # nobody knows yet
    return msgspec.json.encode(written)
