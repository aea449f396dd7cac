"""What each process counts for the fleet's totals, gathered from its parts."""

import time
from collections.abc import Callable, Iterable

from streampoll.pollers.router import Router
from streampoll.pollers.snmp import SnmpPoller
from streampoll.snmp.plan import CollectPlan
from streampoll.tally import MICRO, Counted, Counting, field, together

_UNUSABLE = {"late": "late", "foreign": "foreign", "decode_errors": "undecodable", "unauthentic": "unauthentic"}


def counted_by(pool: str, parts: Iterable[object], router: Router | None = None) -> Callable[[], Counted]:
    """Return what lays a process's counts out; of the parts, those that count are asked, each once."""
    counting = {id(part): part for part in parts if isinstance(part, Counting)}.values()

    def lay_out() -> Counted:
        return together([_cpu(pool), _snmp(router), *(part.counted() for part in counting)])

    return lay_out


def _cpu(pool: str) -> Counted:
    return {field("cpu_seconds", pool): int(time.process_time() * MICRO)}


def _snmp(router: Router | None) -> Counted:
    """Return what the SNMP engine and its sockets have seen; nothing before the first poll."""
    poller = router.poller(CollectPlan) if router else None
    if not isinstance(poller, SnmpPoller) or poller.counters is None:
        return {}
    seen = poller.counters
    unusable = {field("snmp_replies_unusable", word): getattr(seen, name) for name, word in _UNUSABLE.items()}
    return {
        "snmp_requests_sent": seen.sent,
        "snmp_retries": seen.retries,
        "snmp_requests_unanswered": seen.timeouts,
        "snmp_requests_unreachable": seen.unreachable,
        "snmp_replies": seen.received,
        **unusable,
        "udp_receive_buffer_drops": poller.receive_drops or 0,
    }
