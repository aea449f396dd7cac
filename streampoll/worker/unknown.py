"""What becomes of an entry that is not known here: another release may know it, so it is handed back at first."""

from collections.abc import Callable

from streampoll.shards.entries import Delivered
from streampoll.worker.port import Bury, Disposition, Finish, Release


def not_known(delivered: Delivered, cause: str = "", fail: Callable[[str], Disposition] = Bury) -> Release | Bury:
    """Hand an entry back once; then bury it, with what its handler's `fail` emits for that cause ("": its kind)."""
    if not cause:
        kind = delivered.entry.kind if delivered.entry else "?"
        cause = f"no worker knows entries of kind {kind[:40]!r}"
    if delivered.delivery == 1:
        return Release(cause, counted=True)
    return buried(cause, fail(cause))


def buried(cause: str, ended: Disposition) -> Bury:
    """Bury an entry, with what its handler emits for one that ended so."""
    match ended:
        case Finish(emits) | Bury(_, emits):
            return Bury(cause, emits)
    return Bury(cause)
