"""Which trace something belongs to, the same in every process that has to do with it. Pure.

An entry carries no trace context: what identifies it is hashed instead. So a poll's dispatch, attempt and row are in
one trace though nothing but (job, device, slot) connects the processes, and all of them sample it, or none does.
"""

from hashlib import blake2b


def poll_trace(job: str, device: str, slot: int) -> int:
    """Return the trace of a poll, 128 bits."""
    return _trace("poll", job, device, str(slot))


def event_trace(event: int, at: int) -> int:
    """Return the trace of one change of an event: an event may be open for weeks, which is no trace."""
    return _trace("event", str(event), str(at))


def message_trace(key: str) -> int:
    """Return the trace of a message to one channel, by its key."""
    return _trace("message", key)


def flush_trace(route: str, group: tuple[str, ...], serial: int) -> int:
    """Return the trace of a group whose time has come."""
    return _trace("flush", route, *group, str(serial))


def run_trace(run: str) -> int:
    """Return the trace of a workflow's run, all its steps in it."""
    return _trace("run", run)


def task_trace(task: str) -> int:
    """Return the trace of a task, all its attempts in it."""
    return _trace("task", task)


def root_span(trace: int) -> int:
    """Return the id, 64 bits, of the span that all others of a trace hang from: whoever makes it knows it, and they."""
    return int.from_bytes(blake2b(trace.to_bytes(16), digest_size=8).digest()) or 1  # 0 stands for no span


def _trace(*parts: str) -> int:
    said = "\0".join(parts).encode(errors="replace")
    return int.from_bytes(blake2b(said, digest_size=16).digest()) or 1  # 0 stands for no trace
