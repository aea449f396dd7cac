"""Every metric of `/metrics`: name, type, labels, one sentence. docs/metrics.md has the table; a test holds that."""

from dataclasses import dataclass
from enum import StrEnum

from streampoll.tally import CALL_S, LATE_S, MICRO, POLL_S, ROWS


class Kind(StrEnum):
    """Prometheus' types."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Spec:
    """One metric."""

    name: str  # as it is exposed
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    counted: str = ""  # its name in the fleet's totals (tally.py); "": read off Redis at the scrape
    bounds: tuple[float, ...] = ()  # of a histogram
    scale: float = 1.0  # what one of its counts is worth
    causes: tuple[str, ...] = ()  # of the label `cause`: those that are there from the beginning, at 0


def _counter(
    name: str, text: str, labels: tuple[str, ...] = (), scale: float = 1.0, causes: tuple[str, ...] = ()
) -> Spec:  # fmt: skip
    return Spec(f"streampoll_{name}", Kind.COUNTER, text, labels, name.removesuffix("_total"), (), scale, causes)


def _histogram(name: str, text: str, bounds: tuple[float, ...], labels: tuple[str, ...] = ()) -> Spec:
    own = name.removesuffix("_seconds")
    return Spec(f"streampoll_{name}", Kind.HISTOGRAM, text, labels, own, bounds, 1 / MICRO)


def _gauge(name: str, text: str, *labels: str) -> Spec:
    return Spec(f"streampoll_{name}", Kind.GAUGE, text, labels)


_SKIPS = ("backlog", "results", "memory", "late")
_UNUSABLE = ("late", "foreign", "undecodable", "unauthentic")
_DROPS = ("behind", "refused", "unreadable")
_PROCESS = ("host", "pool", "index")

SPECS: tuple[Spec, ...] = (
    # polls
    _counter("polls_total", "Polls that ended, by how.", ("protocol", "outcome")),
    _histogram(
        "poll_duration_seconds", "Time of a poll, from its start in a worker to its end.", POLL_S, ("protocol",)
    ),
    _histogram(
        "poll_start_lateness_seconds", "How long after it was due a poll began in a worker.", LATE_S, ("protocol",)
    ),
    _counter("poll_requests_total", "Requests sent by polls, retries included.", ("protocol",)),
    _counter("poll_values_total", "Values received by polls (SNMP variable bindings).", ("protocol",)),
    _counter(
        "poll_timeouts_total",
        "Polls that timed out, by how: silent, midway, unsent; connect, read; connect, login, command; echo.",
        ("protocol", "cause"),
    ),
    # SNMP, datagram by datagram
    _counter("snmp_requests_sent_total", "SNMP datagrams sent, retries included."),
    _counter("snmp_retries_total", "SNMP requests sent again since no answer came."),
    _counter("snmp_requests_unanswered_total", "SNMP requests given up without an answer."),
    _counter("snmp_requests_unreachable_total", "SNMP requests ended by an ICMP error."),
    _counter("snmp_replies_total", "SNMP datagrams received."),
    _counter(
        "snmp_replies_unusable_total", "SNMP datagrams that answered nothing, by why.", ("cause",), causes=_UNUSABLE
    ),
    _counter("udp_receive_buffer_drops_total", "Datagrams the kernel dropped since the socket's buffer was full."),
    # queues
    _gauge("queue_waiting", "Rows (of most classes an entry is one) that no worker holds.", "class"),
    _gauge("queue_in_flight", "Rows (of most classes an entry is one) that a worker holds.", "class"),
    _gauge("queue_delayed", "Entries that wait for a retry or a countdown.", "class"),
    _gauge("queue_oldest_seconds", "Age of the oldest unfinished entry; 0 where there is none.", "class"),
    _gauge("dead_letters", "Dead letters that are kept.", "class"),
    _counter(
        "entries_read_total",
        "Entries delivered to workers for the first time; one of results or analysis may have several rows.",
        ("class",),
    ),
    _counter(
        "entries_done_total",
        "Entries settled: finished, handed back, retried or buried; one of results or analysis may have several rows.",
        ("class",),
    ),
    _counter(
        "entries_claimed_total", "Entries taken over from workers that died, stalled or handed them back.", ("class",)
    ),
    _counter("entries_retried_total", "Entries put off for another attempt.", ("class",)),
    _counter("analysed_total", "Results analysed.", ("job",)),
    _counter("analysis_repeated_total", "Results not analysed: one of the same slot, or a later one, had been."),
    _counter("entries_released_total", "Entries handed back unserved.", ("class",)),
    _counter("entries_stale_total", "Entries handed back since a record they write had changed.", ("class",)),
    _counter("entries_buried_total", "Entries sent to the dead letters.", ("class",)),
    _counter("entries_failed_total", "Attempts that did not run to their end: a limit, a bug.", ("class",)),
    _counter("entries_lost_total", "Leases that a worker lost; its work on them was thrown away.", ("class",)),
    _counter("entries_payloads_lost_total", "Pending entries of which Redis lost the payload.", ("class",)),
    # store
    _counter("rows_stored_total", "Rows of polls committed to PostgreSQL."),
    _counter("rows_refused_total", "Rows that PostgreSQL refused; their originals are dead letters."),
    _histogram("row_lateness_seconds", "How long after its poll was due a row was committed (answered polls).", LATE_S),
    _histogram("store_batch_records", "Rows and ledger entries in one commit.", ROWS),
    _histogram("store_batch_duration_seconds", "Time of one commit, with its look-ups.", CALL_S),
    _gauge("stores_waiting", "Store processes that wait for PostgreSQL."),
    # notifications
    _counter(
        "notifications_total", "Messages that were sent, not taken (tried again) or given up.", ("channel", "outcome")
    ),
    # coordinator
    _counter("polls_dispatched_total", "Polls that the leader wrote into the streams."),
    _counter("polls_skipped_total", "Polls that the leader did not dispatch, by why.", ("cause",), causes=_SKIPS),
    _counter("leader_terms_total", "Times that a coordinator began to lead: 1, and 1 more for each change."),
    _gauge("leader_present", "1 while a coordinator leads, else 0."),
    _gauge("leader_since_seconds", "For how long the leader has led."),
    # processes
    _gauge("workers", "Worker processes that beat in the last minute, by state.", "pool", "state"),
    _gauge("worker_loop_lag_seconds", "How late a process's event loop wakes up (the worst of late).", *_PROCESS),
    _gauge("worker_resident_memory_bytes", "Resident memory of a process.", *_PROCESS),
    _gauge("worker_uptime_seconds", "Age of a process.", *_PROCESS),
    _counter("cpu_seconds_total", "CPU time of all processes of a pool.", ("pool",), scale=1 / MICRO),
    # notifications and tasks
    _counter("notifications_total", "Messages to people, by how a send ended.", ("channel", "outcome")),
    _counter("tasks_total", "Tasks of users that ended, by how.", ("outcome",)),
    _counter("tasks_retried_total", "Attempts at tasks that failed and are tried again."),
    # outputs
    _counter("output_sent_total", "Results that an output has taken.", ("output",)),
    _counter("output_retried_total", "Results sent that an output did not take, and that are sent again.", ("output",)),
    _counter("output_dropped_total", "Results that an output never gets, by why.", ("output", "cause"), causes=_DROPS),
    _histogram("output_send_duration_seconds", "Time of one send to an output.", CALL_S, ("output",)),
    _gauge("output_waiting", "Results that an output has not had.", "output"),
    _gauge(
        "output_lag_seconds", "Age of the oldest result that an output has not had; 0 where there is none.", "output"
    ),
    # API
    _counter("api_requests_total", "Requests that the API answered, by the first digit of the status.", ("code",)),
    # all of it
    _gauge("redis_up", "1 if the figures could be read from Redis, else 0; then nothing else is exposed."),
    _gauge("alarms", "Alarms that `streampoll stats` shows."),
    _gauge("build_info", "1, with the version that answers.", "version"),
)

COUNTED = {spec.counted: spec for spec in SPECS if spec.counted}
