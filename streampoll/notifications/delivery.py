"""Messages on their way out: to the shard of their channel, in the channel's pace, and sent until they are taken.

A message is acknowledged once its channel has taken it. So a process that dies in between may send it twice, under the
same key, and never loses it. What is not taken comes back later and later, through the channel's pace again; what is
not taken for `give_up` goes to the dead letters with the last cause.
"""

import logging
import random
import struct
from collections import Counter
from collections.abc import Sequence
from typing import Final

from streampoll.model import QueueClass
from streampoll.notifications.backoff import again_s
from streampoll.notifications.channel import Terms
from streampoll.notifications.gather import Gather, Key
from streampoll.notifications.group import VERSION_BYTES
from streampoll.notifications.message import Message, encode_message, home_shard, once_more
from streampoll.notifications.pace import take
from streampoll.notifications.port import NotSent
from streampoll.notifications.ports import SPACE, NotifyPorts
from streampoll.notifications.senders import Senders
from streampoll.shards.entries import Kind
from streampoll.tally import Counted, field
from streampoll.worker.port import Bury, Disposition, Emit, Finish, Retry, Write

log = logging.getLogger(__name__)

_AT_ONCE: Final = 4  # messages of one channel under way in one process
_BUSY_S: Final = 1.0  # one beyond those looks again after about this


class Delivery:
    """Sends messages."""

    def __init__(self, ports: NotifyPorts, senders: Senders) -> None:
        self._ports = ports
        self._senders = senders
        self._under_way: Counter[str] = Counter()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._turns = Gather(self._paced)

    def counted(self) -> Counted:
        """Return how many messages were sent, not taken and given up, by channel."""
        return {field("notifications", channel, how): count for (channel, how), count in self._counts.items()}

    async def admit(self, shard: int, message: Message) -> Disposition:
        """Bring a message to its channel's shard, and let it go there when it is its turn."""
        home = home_shard(message.channel, self._ports.shards)
        if shard != home:
            entries = [encode_message(message)]
            await self._ports.streams.add(QueueClass.NOTIFICATIONS, home, entries, unique=[message.key])
            return Finish()
        if self._terms(message).rate is None:
            return Finish([_send(message, 0.0)])
        return await self._turns.ask((home, message.channel), message)

    async def _paced(self, key: Key, together: Sequence[Message]) -> list[Disposition]:
        """Give messages of one channel their turns."""
        home, channel = key
        name = f"c\0{channel}"
        rate = self._terms(together[0]).rate
        record = (await self._ports.streams.recall(SPACE, {home: [name]})).get(home, {}).get(name, b"")
        now = self._ports.now()
        answers: list[Disposition] = []
        for message in together:
            wait_s, next_s = take(rate, _next(record), now) if rate else (0.0, now)
            before, record = record[:VERSION_BYTES], struct.pack(">d", next_s)
            answers.append(Finish([_send(message, wait_s)], [Write(SPACE, name, before, record)]))
        return answers

    async def send(self, message: Message) -> Disposition:
        """Send a message; say what becomes of it."""
        if self._under_way[message.channel] >= _AT_ONCE:
            return Retry(encode_message(message, Kind.SEND), _BUSY_S * random.uniform(0.5, 1.5))
        self._under_way[message.channel] += 1
        known = self._ports.known()
        try:
            said = await self._senders.send(known.channels, message, known.style)
        except NotSent as why:
            await known.channels.look_again([message.channel])  # its secret may be another one by now
            return self._not_sent(message, why)
        finally:
            self._under_way[message.channel] -= 1
        self._counts[message.channel, "sent"] += 1
        log.info("channel %s: %s about %s: %s", message.channel, message.reason, message.group or message.title, said)
        return Finish()

    def give_up(self, message: Message, cause: str) -> Disposition:
        """End an attempt that did not run to its end as one that failed."""
        return self._not_sent(message, NotSent(cause))

    def _not_sent(self, message: Message, why: NotSent) -> Disposition:
        """Try again later, or give up."""
        age_s = self._ports.now() - max(message.created, message.since)
        wait_s = again_s(message.attempt + 1, random.random(), why.wait_s)
        terms = self._terms(message)
        if why.final or age_s + wait_s > terms.give_up_s:
            self._counts[message.channel, "given_up"] += 1
            tries = f"{message.attempt + 1} attempts in {age_s:.0f} s"
            return Bury(f"channel {message.channel} does not take it: {why.cause} ({tries})")
        self._counts[message.channel, "failed"] += 1
        log.warning("channel %s: attempt %d failed, the next in %.0f s: %s", message.channel, message.attempt + 1,
                    wait_s, why.cause)  # fmt: skip
        return Retry(encode_message(once_more(message)), wait_s)

    def _terms(self, message: Message) -> Terms:
        return self._ports.known().terms.get(message.channel, Terms())


def _send(message: Message, delay_s: float) -> Emit:
    return Emit(QueueClass.NOTIFICATIONS, encode_message(message, Kind.SEND), delay_s)


def _next(record: bytes) -> float:
    return float(struct.unpack(">d", record)[0]) if len(record) == VERSION_BYTES else 0.0
