"""Every Redis key of streampoll. Keys of one shard carry its hash tag, so a script on them is one slot's business."""

from dataclasses import dataclass

from streampoll.model import QueueClass


@dataclass(frozen=True, slots=True)
class ShardKeys:
    """The keys of one shard: `sp:{07}:…`."""

    base: str

    def stream(self, queue: QueueClass) -> str:
        """Unfinished work; the consumer group is named like the class."""
        return f"{self.base}:{queue}"

    def delayed(self, queue: QueueClass) -> str:
        """Sorted set of retries and countdowns by the millisecond they are due."""
        return f"{self.base}:{queue}:delayed"

    def dead(self, queue: QueueClass) -> str:
        """Stream of dead letters with their cause."""
        return f"{self.base}:{queue}:dead"

    def crashes(self, queue: QueueClass) -> str:
        """Hash id -> consumer, of entries that run in quarantine now."""
        return f"{self.base}:{queue}:crashes"

    @property
    def open(self) -> str:
        """Hash `class:job:slot` -> entries of it unfinished; a slot is final when it has no field left."""
        return f"{self.base}:open"

    @property
    def backlog(self) -> str:
        """Hash `class:job` -> entries unfinished over all slots."""
        return f"{self.base}:backlog"

    @property
    def dispatched(self) -> str:
        """Hash job -> mark of the last part dispatched (`tick * 65536 + part`)."""
        return f"{self.base}:dispatched"

    @property
    def plans(self) -> str:
        """Hash job -> id of the plan dispatched last: proof, without PostgreSQL, that it was committed."""
        return f"{self.base}:plans"

    @property
    def ran(self) -> str:
        """Hash job -> the second at which somebody last ran it here."""
        return f"{self.base}:ran"

    @property
    def device(self) -> str:
        """Hash device -> what was learned of one that is out of the ordinary: sizes, silence, credential."""
        return f"{self.base}:device"

    def state(self, space: str) -> str:
        """Hash name -> record behind its version: of a device (analysis), of a group of messages (notifications)."""
        return f"{self.base}:state:{space}"

    @property
    def once(self) -> str:
        """Sorted set of keys of entries that are added once (`class:key`), by the millisecond each is forgotten."""
        return f"{self.base}:once"

    @property
    def facts(self) -> str:
        """Hash device -> its line of the inventory, msgpack; "" -> digest of them all."""
        return f"{self.base}:facts"

    @property
    def outputs(self) -> str:
        """Stream of results for outputs besides PostgreSQL; bounded: where an output is behind, the oldest go."""
        return f"{self.base}:outputs"

    @property
    def positions(self) -> str:
        """Hash output -> `id number` of the last result that it has; `#` is the number of the last one added."""
        return f"{self.base}:outputs:positions"

    @property
    def epoch(self) -> str:
        """The highest leader epoch seen."""
        return f"{self.base}:epoch"


@dataclass(frozen=True, slots=True)
class Keys:
    """All keys below one prefix."""

    prefix: str = "sp"

    def shard(self, number: int) -> ShardKeys:
        """Return the keys of a shard; its number has at least two digits."""
        return ShardKeys(f"{self.prefix}:{{{number:02d}}}")

    @property
    def leader(self) -> str:
        """The leader's id and epoch, with the lease as time to live."""
        return f"{self.prefix}:leader"

    @property
    def workers(self) -> str:
        """Hash worker id -> last beat in ms and its classes."""
        return f"{self.prefix}:workers"

    def worker(self, worker_id: str) -> str:
        """A worker's figures, msgpack."""
        return f"{self.prefix}:worker:{worker_id}"

    @property
    def totals(self) -> str:
        """Hash `name|label|label` -> what the whole fleet has counted; `#` is the number of its last change."""
        return f"{self.prefix}:{{totals}}"

    def told(self, worker_id: str) -> str:
        """Number of the last batch of counts that a process has added."""
        return f"{self.prefix}:{{totals}}:{worker_id}"

    @property
    def paused(self) -> str:
        """Hash `kind:name` -> since when, by whom and why a job or class is paused; the truth is in PostgreSQL."""
        return f"{self.prefix}:paused"

    @property
    def tasks(self) -> str:
        """Hash task's name -> when a worker last said that it runs it, and its class."""
        return f"{self.prefix}:tasks"

    @property
    def cancelled(self) -> str:
        """Sorted set of tasks that were cancelled, by the millisecond at which that is forgotten."""
        return f"{self.prefix}:cancelled"

    @property
    def meta(self) -> str:
        """Hash: shard count and format version, recorded at first start."""
        return f"{self.prefix}:meta"
