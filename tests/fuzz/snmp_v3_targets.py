"""SNMPv3 messages of any bytes, and well-formed ones that say what no agent would: a request ends all the same."""

import asyncio
from random import Random

from streampoll.config.settings import SnmpSettings
from streampoll.snmp import ber
from streampoll.snmp.client import WireEngine
from streampoll.snmp.engine import Failure, Reply
from streampoll.snmp.message import PduType, Request
from tests.fuzz.mutate import mutated
from tests.fuzz.watched import run_watched
from tests.snmp_peer_support import varbind
from tests.snmp_v3_peer_support import ENGINE_ID, OTHER_ID, PLAIN, SEVEN, SIGNER, UPTIME, USER, Asked, V3Peer

_REQUEST = Request(PduType.GET, (UPTIME,))
_NUMBERS = (-(1 << 31), -1, 0, 1, 0x7FFFFFFF, 0x80000000, 1 << 40)
_CIPHERED = (0, 1, 0x7FFFFFFF, 0x80000000)  # the peer's cipher has four bytes for each
_ENGINES = (b"", b"\x80", ENGINE_ID, OTHER_ID, b"\xff" * 32, b"\xff" * 33)
_VARBINDS = (b"", b"\x30\x80", SEVEN * 3, varbind(UPTIME, ber.NULL, b""), varbind(b"\xff" * 20, 0x46, b"\xff" * 9))


def engine_v3(random: Random) -> None:
    """Whatever comes before the right answer, or in its place."""
    user = random.choice((PLAIN, PLAIN, SIGNER, USER))
    run_watched(_ask(random, V3Peer(user)))


async def _ask(random: Random, peer: V3Peer) -> None:
    peer.script = lambda peer, asked: _say(random, peer, asked)
    right, sending = V3Peer.send, random.random()

    def send(data: bytes, asked: Asked) -> None:
        for _ in range(random.randint(0, 5)):
            right(peer, mutated(random, data)[:60_000], asked)
        if random.random() < sending:
            right(peer, data, asked)

    peer.send = send  # type: ignore[method-assign]
    wire = WireEngine(SnmpSettings())
    try:
        async with peer:
            for _ in range(3):
                deadline = asyncio.get_running_loop().time() + 0.1
                said = await wire.request(peer.agent(timeout_s=0.02, retries=1), _REQUEST, deadline)
                assert isinstance(said, Reply | Failure)
    finally:
        await wire.close()


def _say(random: Random, peer: V3Peer, asked: Asked) -> None:
    """Say something strange first, now and then; then what an agent would."""
    if random.random() < 0.5:
        changes = {
            "level": random.choice((None, 0, 1, 3)),
            "engine_id": random.choice((None, *_ENGINES)),
            "request_id": random.choice((None, *_NUMBERS)),
            "msg_id": random.choice((None, None, *_NUMBERS)),
            "boots": random.choice((None, *(_NUMBERS if peer.user is not USER else _CIPHERED))),
            "time_s": random.choice((None, *(_NUMBERS if peer.user is not USER else _CIPHERED))),
        }
        if peer.user is not USER:
            changes["level"] = random.choice((None, 0))  # there is no key for more
        if random.random() < 0.5:
            peer.send(peer.message(asked, random.choice(list(PduType)), random.choice(_VARBINDS), **changes), asked)
        else:
            peer.report(asked, random.randint(0, 8), changes["level"] or 0)
    peer.behave(asked)


TARGETS = {"engine_v3": engine_v3}
