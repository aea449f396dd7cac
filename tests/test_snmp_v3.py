"""SNMPv3 on the wire engine, against a scripted agent: discovery, clocks, reports, forgeries, what is remembered."""

import asyncio
import logging
import socket
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from streampoll.config.secret import Secret
from streampoll.config.settings import SnmpSettings
from streampoll.model import Status
from streampoll.snmp import ber, master_keys
from streampoll.snmp.authority import LAST_BOOTS
from streampoll.snmp.client import WireEngine
from streampoll.snmp.credential import AuthProtocol, PrivProtocol, UsmUser
from streampoll.snmp.engine import Agent, Failure, Reply
from streampoll.snmp.message import PduType, Request
from streampoll.snmp.message_v3 import AUTH, PRIV
from streampoll.snmp.session import Kits
from tests.snmp_peer_support import ScriptedPeer, always, varbind
from tests.snmp_v3_peer_support import (
    DECRYPTION,
    ENGINE_ID,
    KEY,
    NOT_IN_TIME,
    OTHER_ID,
    PLAIN,
    SEVEN,
    SIGNER,
    UNKNOWN_ENGINE,
    UNKNOWN_USER,
    UNSUPPORTED_LEVEL,
    UPTIME,
    USER,
    WRONG_DIGEST,
    Asked,
    V3Peer,
    after_discovery,
    in_turn,
    silent,
)
from tests.waiting import eventually_async

GET = Request(PduType.GET, (UPTIME,))
EIGHT = varbind(UPTIME, ber.TIME_TICKS, b"\x08")


@pytest_asyncio.fixture
async def engine() -> AsyncIterator[WireEngine]:
    engine = WireEngine(SnmpSettings())
    yield engine
    await engine.close()


@pytest_asyncio.fixture
async def peer() -> AsyncIterator[V3Peer]:
    async with V3Peer() as peer:
        yield peer


async def ask(engine: WireEngine, agent: Agent) -> Reply | Failure:
    return await asyncio.wait_for(engine.request(agent, GET, asyncio.get_running_loop().time() + 5), 10)


def is_seven(result: Reply | Failure) -> bool:
    assert isinstance(result, Reply), result
    return result.varbinds == [(UPTIME, ber.TIME_TICKS, 7)]


def failed(result: Reply | Failure) -> Failure:
    assert isinstance(result, Failure), result
    return result


# ---- discovery, and what is shared


@pytest.mark.parametrize("user", [PLAIN, SIGNER, USER], ids=["noAuthNoPriv", "authNoPriv", "authPriv"])
async def test_an_agent_is_discovered_and_asked(engine: WireEngine, user: UsmUser) -> None:
    async with V3Peer(user) as peer:
        assert is_seven(await ask(engine, peer.agent()))
    assert [asked.head.engine_id for asked in peer.asked] == [b"", ENGINE_ID]


async def test_an_engine_is_discovered_once_and_its_keys_are_localized_once(
    engine: WireEngine, peer: V3Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    localized: list[bytes] = []
    real = master_keys.local_keys

    def counted(user: UsmUser, auth: bytes, priv: bytes, engine_id: bytes) -> object:
        localized.append(engine_id)
        return real(user, auth, priv, engine_id)

    monkeypatch.setattr(master_keys, "local_keys", counted)
    for _ in range(5):
        assert is_seven(await ask(engine, peer.agent()))
    assert (len(peer.asked), engine.counters.discoveries, localized) == (6, 1, [ENGINE_ID])


async def test_polls_that_begin_together_share_one_discovery(engine: WireEngine, peer: V3Peer) -> None:
    results = await asyncio.gather(*(ask(engine, peer.agent(window=8)) for _ in range(20)))
    assert all(map(is_seven, results))
    assert len(peer.asked) == 21
    assert sum(result.sent for result in results) == 21


async def test_a_cancelled_poll_does_not_end_the_discovery_that_others_wait_for(
    engine: WireEngine, peer: V3Peer
) -> None:
    held: list[Asked] = []
    peer.script = lambda _, asked: held.append(asked)
    first = asyncio.create_task(ask(engine, peer.agent(timeout_s=5)))
    second = asyncio.create_task(ask(engine, peer.agent(timeout_s=5)))
    await eventually_async(lambda: len(held) == 1)
    first.cancel()
    await asyncio.wait([first])
    peer.script = V3Peer.behave
    peer.behave(held[0])
    assert is_seven(await second)


async def test_an_agent_that_keeps_silent_is_a_time_out_after_its_retries(engine: WireEngine, peer: V3Peer) -> None:
    peer.script = silent
    result = failed(await ask(engine, peer.agent(timeout_s=0.05, retries=2)))
    assert (result.status, result.sent, len(peer.asked)) == (Status.TIMEOUT, 3, 3)


async def test_two_users_of_one_agent_share_its_engine(engine: WireEngine, peer: V3Peer) -> None:
    assert is_seven(await ask(engine, peer.agent()))
    other = UsmUser("shaaes", AuthProtocol.SHA1, KEY)  # the same user and key, at another level
    assert is_seven(await ask(engine, peer.agent(other)))
    assert engine.counters.discoveries == 1


async def test_many_agents_take_turns_with_few_kits(engine: WireEngine, peer: V3Peer) -> None:
    engine._v3._kits = Kits(most=1)
    async with V3Peer(address="127.0.0.2") as other:
        for _ in range(3):
            assert is_seven(await ask(engine, peer.agent()))
            assert is_seven(await ask(engine, other.agent()))
    assert sum(session.kit is not None for session in engine._v3._sessions.values()) == 1


async def test_v3_and_v2c_share_one_socket(engine: WireEngine, peer: V3Peer) -> None:
    async with ScriptedPeer(always(SEVEN)) as two:
        agents = [peer.agent(), two.agent()]
        assert all(map(is_seven, [await ask(engine, agent) for agent in agents * 2]))
    assert len(engine._courier._sockets) == 1


# ---- matching


async def test_each_retry_has_a_new_msg_id_request_id_and_salt(engine: WireEngine, peer: V3Peer) -> None:
    peer.script = after_discovery(silent)
    await ask(engine, peer.agent(timeout_s=0.03, retries=3))
    assert len(peer.requests) == 4
    assert len({asked.head.msg_id for asked in peer.requests}) == 4
    assert len({peer._open(asked) for asked in peer.requests}) == 4
    assert len({asked.head.salt for asked in peer.requests}) == 4


async def test_a_doubled_reply_is_counted_late_and_used_once(engine: WireEngine, peer: V3Peer) -> None:
    peer.script = after_discovery(lambda peer, asked: [peer.answer(asked) for _ in range(3)] and None)
    assert is_seven(await ask(engine, peer.agent()))
    await eventually_async(lambda: engine.counters.late == 2)


async def test_a_replayed_reply_does_not_answer_the_next_request(engine: WireEngine, peer: V3Peer) -> None:
    kept: list[bytes] = []

    def replay(peer: V3Peer, asked: Asked) -> None:
        asked.request_id = peer._open(asked)
        if kept:
            peer.send(kept[0], asked)
        kept.append(peer.message(asked, PduType.RESPONSE, EIGHT if not kept else SEVEN))
        peer.send(kept[-1], asked)

    peer.script = after_discovery(replay)
    await ask(engine, peer.agent())
    assert is_seven(await ask(engine, peer.agent()))
    assert engine.counters.late == 1


async def test_a_late_reply_does_not_answer_the_retry(engine: WireEngine, peer: V3Peer) -> None:
    def late(peer: V3Peer, asked: Asked) -> None:
        if len(peer.requests) == 2:
            peer.answer(peer.requests[0], EIGHT)
            peer.answer(asked)

    peer.script = after_discovery(late)
    assert is_seven(await ask(engine, peer.agent(retries=1)))
    assert engine.counters.late == 1


@pytest.mark.parametrize("address", ["127.0.0.2", "127.0.0.1"], ids=["another address", "another port"])
async def test_a_reply_from_elsewhere_counts_for_nothing(engine: WireEngine, peer: V3Peer, address: str) -> None:
    assert is_seven(await ask(engine, peer.agent()))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind((address, 0))

        def spoof(peer: V3Peer, asked: Asked) -> None:
            asked.request_id = peer._open(asked)
            stranger.sendto(peer.message(asked, PduType.RESPONSE, SEVEN), asked.source)

        peer.script = after_discovery(spoof)
        result = failed(await ask(engine, peer.agent()))
    assert (result.status, engine.counters.foreign) == (Status.TIMEOUT, 1)


async def test_a_discovery_answered_from_elsewhere_counts_for_nothing(engine: WireEngine, peer: V3Peer) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.2", 0))

        def spoof(peer: V3Peer, asked: Asked) -> None:
            stranger.sendto(peer.message(asked, PduType.REPORT, SEVEN, engine_id=OTHER_ID, level=0), asked.source)

        peer.script = spoof
        assert failed(await ask(engine, peer.agent())).status is Status.TIMEOUT
    assert engine._v3._engines.by_address == {}


# what is wrong with the reply -> how the peer sends it
FORGERIES = {
    "not signed": {"level": 0},
    "signed, not encrypted": {"level": AUTH},
    "another request-id": {"request_id": 77},
    "another engine ID": {"engine_id": OTHER_ID},
    "another user's": {"user": UsmUser("other", AuthProtocol.SHA1, KEY, PrivProtocol.AES128, KEY)},
    "signed with another key": {
        "user": UsmUser("shaaes", AuthProtocol.SHA1, Secret("other-pass"), PrivProtocol.AES128, KEY)
    },
    "signed with another hash": {"user": UsmUser("shaaes", AuthProtocol.SHA256, KEY, PrivProtocol.AES128, KEY)},
}


@pytest.mark.parametrize("changes", FORGERIES.values(), ids=FORGERIES.keys())
async def test_a_reply_that_is_not_what_was_asked_for_is_dropped(
    engine: WireEngine, peer: V3Peer, changes: dict[str, object]
) -> None:
    peer.script = after_discovery(lambda peer, asked: peer.answer(asked, **changes))
    result = failed(await ask(engine, peer.agent()))
    assert (result.status, engine.counters.unauthentic) == (Status.AUTH, 1)


@pytest.mark.parametrize("changes", FORGERIES.values(), ids=FORGERIES.keys())
async def test_a_forged_reply_does_not_keep_the_true_one_from_counting(
    engine: WireEngine, peer: V3Peer, changes: dict[str, object]
) -> None:
    def both(peer: V3Peer, asked: Asked) -> None:
        peer.answer(asked, EIGHT, **changes)
        peer.answer(asked)

    peer.script = after_discovery(both)
    assert is_seven(await ask(engine, peer.agent()))


async def test_a_reply_changed_on_the_way_is_dropped(engine: WireEngine, peer: V3Peer) -> None:
    def damage(peer: V3Peer, asked: Asked) -> None:
        asked.request_id = peer._open(asked)
        whole = bytearray(peer.message(asked, PduType.RESPONSE, EIGHT))
        whole[-1] ^= 1
        peer.send(bytes(whole), asked)
        peer.answer(asked)

    peer.script = after_discovery(damage)
    assert is_seven(await ask(engine, peer.agent()))
    assert engine.counters.unauthentic == 1


def in_v2c(asked: Asked) -> bytes:
    """Answer a v3 message in v2c."""
    pdu = b"\x02\x04" + asked.head.msg_id.to_bytes(4) + b"\x02\x01\x00\x02\x01\x00" + ber.encode_tlv(0x30, SEVEN)
    return ber.encode_tlv(0x30, b"\x02\x01\x01\x04\x06public" + ber.encode_tlv(0xA2, pdu))


async def test_a_reply_in_v2c_is_no_answer(engine: WireEngine, peer: V3Peer) -> None:
    peer.script = after_discovery(lambda peer, asked: peer.send(in_v2c(asked), asked))
    assert failed(await ask(engine, peer.agent())).status is Status.DECODE


@pytest.mark.parametrize("kind", ["v2c", "signed", "no engine ID", "a response"])
async def test_a_discovery_takes_nothing_but_reports_in_clear(engine: WireEngine, peer: V3Peer, kind: str) -> None:
    def answer(peer: V3Peer, asked: Asked) -> None:
        if kind == "v2c":
            peer.send(in_v2c(asked), asked)
        elif kind == "a response":
            peer.answer(asked, level=0)
        else:
            changes = {"level": AUTH} if kind == "signed" else {"engine_id": b""}
            peer.report(asked, UNKNOWN_ENGINE, **changes)  # type: ignore[arg-type]

    peer.script = answer
    result = failed(await ask(engine, peer.agent()))
    assert (result.status, engine._v3._engines.by_address) == (Status.DECODE, {})


@pytest.mark.parametrize(
    ("user", "level"),
    [(PLAIN, AUTH), (PLAIN, AUTH | PRIV), (SIGNER, AUTH | PRIV)],
    ids=["auth", "priv", "priv of auth"],
)
async def test_a_reply_at_a_higher_level_than_asked_is_dropped(engine: WireEngine, user: UsmUser, level: int) -> None:
    stronger = UsmUser(user.user, AuthProtocol.SHA1, KEY, PrivProtocol.AES128, KEY)
    async with V3Peer(user) as peer:
        peer.script = after_discovery(lambda peer, asked: peer.answer(asked, EIGHT, level=level, user=stronger))
        result = failed(await ask(engine, peer.agent()))
    assert result.status in (Status.AUTH, Status.DECODE)


# ---- clocks


async def test_time_is_advanced_by_our_own_clock(engine: WireEngine, peer: V3Peer) -> None:
    assert is_seven(await ask(engine, peer.agent()))
    proven = engine._v3._engines.by_address[peer.address].proven
    assert proven is not None
    engine._v3._engines.by_address[peer.address].proven = proven._replace(anchor=proven.anchor - 1000)
    peer.time_s += 1000
    assert is_seven(await ask(engine, peer.agent()))
    assert (peer.asked[-1].head.time_s - 101_000 in (0, 1), engine.counters.resyncs) == (True, 0)


async def test_a_reboot_is_resynchronized_within_the_poll_once(engine: WireEngine, peer: V3Peer) -> None:
    assert is_seven(await ask(engine, peer.agent()))
    peer.boots, peer.time_s = 6, 3
    assert is_seven(result := await ask(engine, peer.agent()))
    assert is_seven(await ask(engine, peer.agent()))
    assert (result.sent, engine.counters.resyncs, engine.counters.discoveries) == (2, 1, 1)
    assert [asked.head.boots for asked in peer.requests] == [5, 5, 6, 6]


async def test_a_clock_that_jumped_ahead_is_resynchronized(engine: WireEngine, peer: V3Peer) -> None:
    assert is_seven(await ask(engine, peer.agent()))
    peer.time_s += 5000
    assert is_seven(await ask(engine, peer.agent()))
    assert engine.counters.resyncs == 1


async def test_polls_that_meet_a_reboot_together_all_succeed(engine: WireEngine, peer: V3Peer) -> None:
    assert is_seven(await ask(engine, peer.agent()))
    peer.boots, peer.time_s = 6, 3
    results = await asyncio.gather(*(ask(engine, peer.agent(window=4)) for _ in range(8)))
    assert all(map(is_seven, results))


async def test_an_agent_that_refuses_its_own_clock_fails_after_one_resynchronization(
    engine: WireEngine, peer: V3Peer
) -> None:
    peer.script = after_discovery(lambda peer, asked: peer.report(asked, NOT_IN_TIME, level=AUTH))
    result = failed(await ask(engine, peer.agent(retries=3)))
    assert (result.status, "not in time window" in result.reason) == (Status.AUTH, True)
    assert len(peer.requests) == 2


@pytest.mark.parametrize(("boots", "time_s"), [(4, 100_000), (5, 60)], ids=["boots", "time"])
async def test_boots_or_time_that_went_back_are_refused(
    engine: WireEngine, peer: V3Peer, boots: int, time_s: int
) -> None:
    assert is_seven(await ask(engine, peer.agent()))
    peer.boots, peer.time_s = boots, time_s
    result = failed(await ask(engine, peer.agent()))
    assert (result.status, "went back from 5, 100" in result.reason) == (Status.AUTH, True)
    assert "snmp.allow_boots_back" in result.reason


async def test_boots_that_went_back_are_followed_with_a_notice_where_that_is_allowed(
    engine: WireEngine, peer: V3Peer, caplog: pytest.LogCaptureFixture
) -> None:
    assert is_seven(await ask(engine, peer.agent()))
    peer.boots, peer.time_s = 1, 60
    for _ in range(2):
        assert is_seven(await ask(engine, peer.agent(allow_boots_back=True)))
    assert (engine.counters.boots_back, len(peer.requests)) == (1, 4)
    assert [r.message.startswith("127.0.0.1: engine boots and time went back") for r in caplog.records] == [True]


async def test_an_answer_from_the_agents_past_is_refused(engine: WireEngine, peer: V3Peer) -> None:
    assert is_seven(await ask(engine, peer.agent()))
    peer.script = after_discovery(lambda peer, asked: peer.answer(asked, EIGHT, boots=4))
    result = failed(await ask(engine, peer.agent()))
    assert (result.status, "went back" in result.reason) == (Status.AUTH, True)


async def test_boots_at_their_maximum_are_refused(engine: WireEngine, peer: V3Peer) -> None:
    peer.script = after_discovery(lambda peer, asked: peer.report(asked, NOT_IN_TIME, level=AUTH, boots=LAST_BOOTS))
    result = failed(await ask(engine, peer.agent()))
    assert (result.status, "maximum" in result.reason) == (Status.AUTH, True)


async def test_a_discovery_without_time_costs_one_resynchronization(engine: WireEngine, peer: V3Peer) -> None:
    def timeless(peer: V3Peer, asked: Asked) -> None:
        if asked.is_discovery:
            peer.report(asked, UNKNOWN_ENGINE, boots=0, time_s=0)
        else:
            peer.behave(asked)

    peer.script = timeless
    assert is_seven(result := await ask(engine, peer.agent()))
    assert (result.sent, engine.counters.resyncs) == (3, 1)


# ---- reports


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (UNSUPPORTED_LEVEL, "does not take authPriv from user 'shaaes'"),
        (UNKNOWN_USER, "no user 'shaaes'"),
        (WRONG_DIGEST, "another auth_key or auth_protocol for user 'shaaes' than sha1"),
        (DECRYPTION, "another priv_key or priv_protocol for user 'shaaes' than aes128"),
    ],
)
async def test_a_report_is_a_typed_failure_and_not_retried(
    engine: WireEngine, peer: V3Peer, number: int, words: str
) -> None:
    peer.script = after_discovery(lambda peer, asked: peer.report(asked, number))
    result = failed(await ask(engine, peer.agent(retries=5)))
    assert (result.status, words in result.reason, "usmStats" in result.reason) == (Status.AUTH, True, True)
    assert len(peer.requests) == 1


@pytest.mark.parametrize(
    ("user", "words"),
    [
        (UsmUser("nobody", AuthProtocol.SHA1, KEY), "unknown user"),
        (UsmUser("shaaes", AuthProtocol.SHA1, Secret("not-this-one")), "wrong digest"),
        (UsmUser("shaaes", AuthProtocol.SHA512, KEY), "wrong digest"),
    ],
)
async def test_wrong_credentials_end_as_auth_with_one_request(
    engine: WireEngine, peer: V3Peer, user: UsmUser, words: str
) -> None:
    result = failed(await ask(engine, peer.agent(user, retries=5)))
    assert (result.status, words in result.reason, len(peer.requests)) == (Status.AUTH, True, 1)


async def test_an_agent_that_is_silent_to_a_wrong_priv_key_is_auth_with_a_guess(
    engine: WireEngine, peer: V3Peer
) -> None:
    peer.script = after_discovery(silent)
    result = failed(await ask(engine, peer.agent()))
    assert (result.status, "another priv_key or priv_protocol than aes128" in result.reason) == (Status.AUTH, True)


async def test_an_agent_that_answered_before_and_is_silent_now_is_a_time_out(engine: WireEngine, peer: V3Peer) -> None:
    assert is_seven(await ask(engine, peer.agent()))
    peer.script = after_discovery(silent)
    for _ in range(2):
        assert failed(await ask(engine, peer.agent())).status is Status.TIMEOUT


async def test_an_agent_is_known_once_it_has_answered_and_until_it_keeps_silent(
    engine: WireEngine, peer: V3Peer
) -> None:
    asked = peer.agent(timeout_s=0.02, retries=0)
    assert not engine.knows(asked)
    await ask(engine, asked)
    assert engine.knows(asked)
    peer.script = silent
    await ask(engine, asked)
    assert not engine.knows(asked)


async def test_a_silent_agent_is_asked_who_it_is_before_the_next_request(engine: WireEngine, peer: V3Peer) -> None:
    assert is_seven(await ask(engine, peer.agent()))
    peer.script = silent
    await ask(engine, peer.agent())
    peer.script = V3Peer.behave
    assert is_seven(await ask(engine, peer.agent()))
    assert [asked.is_discovery for asked in peer.asked] == [True, False, False, True, False]


async def test_an_unknown_context_is_refused_by_its_name(engine: WireEngine, peer: V3Peer) -> None:
    counter = varbind(ber.encode_oid((1, 3, 6, 1, 6, 3, 12, 1, 5, 0)), ber.COUNTER32, b"\x01")

    def report(peer: V3Peer, asked: Asked) -> None:
        peer.send(peer.message(asked, PduType.REPORT, counter, level=AUTH | PRIV), asked)

    peer.script = after_discovery(report)
    user = UsmUser("shaaes", AuthProtocol.SHA1, KEY, PrivProtocol.AES128, KEY, "vlan-7")
    result = failed(await ask(engine, peer.agent(user)))
    assert (result.status, "no context 'vlan-7'" in result.reason) == (Status.REFUSED, True)


# ---- forged reports


async def test_a_forged_not_in_time_does_not_touch_the_clock(engine: WireEngine, peer: V3Peer) -> None:
    assert is_seven(await ask(engine, peer.agent()))
    known = engine._v3._engines.by_address[peer.address].proven
    peer.script = after_discovery(lambda peer, asked: peer.report(asked, NOT_IN_TIME, boots=99, time_s=9))
    result = failed(await ask(engine, peer.agent()))
    peer.script = V3Peer.behave
    assert (result.status, "not signed" in result.reason) == (Status.AUTH, True)
    assert engine._v3._engines.by_address[peer.address].proven == known
    assert is_seven(await ask(engine, peer.agent()))


async def test_a_forged_discovery_answer_is_healed_within_the_poll(engine: WireEngine, peer: V3Peer) -> None:
    peer.script = in_turn(
        lambda peer, asked: peer.report(asked, UNKNOWN_ENGINE, engine_id=OTHER_ID, boots=77), V3Peer.behave
    )
    assert is_seven(await ask(engine, peer.agent()))
    assert engine.counters.engine_id_changes == 0


async def test_a_forged_engine_id_does_not_displace_the_proven_one(engine: WireEngine, peer: V3Peer) -> None:
    assert is_seven(await ask(engine, peer.agent()))

    def forge(peer: V3Peer, asked: Asked) -> None:
        peer.report(asked, UNKNOWN_ENGINE, engine_id=OTHER_ID)

    peer.script = in_turn(forge, silent)
    failed(await ask(engine, peer.agent()))
    assert engine._v3._engines.by_address[peer.address].engine_id == ENGINE_ID
    peer.script = V3Peer.behave
    assert is_seven(await ask(engine, peer.agent()))
    assert (engine.counters.engine_id_changes, peer.asked[-1].head.engine_id) == (0, ENGINE_ID)


async def test_no_report_lowers_the_security_of_what_is_sent(engine: WireEngine, peer: V3Peer) -> None:
    assert is_seven(await ask(engine, peer.agent()))
    for number in range(1, 7):
        peer.script = after_discovery(lambda peer, asked, number=number: peer.report(asked, number))  # type: ignore[misc]
        failed(await ask(engine, peer.agent(retries=1)))
    assert {asked.head.flags & (AUTH | PRIV) for asked in peer.requests} == {AUTH | PRIV}
    assert all(not asked.data.count(b"\xa0\x0e\x02\x04") for asked in peer.requests), "a PDU in clear"


# ---- engine IDs


async def test_a_changed_engine_id_is_followed_within_the_poll_and_reported(
    engine: WireEngine, peer: V3Peer, caplog: pytest.LogCaptureFixture
) -> None:
    assert is_seven(await ask(engine, peer.agent()))
    peer.engine_id, peer.boots, peer.time_s = OTHER_ID, 1, 5
    for _ in range(2):
        assert is_seven(await ask(engine, peer.agent()))
    assert engine.counters.engine_id_changes == 1
    assert [record.message for record in caplog.records] == [
        f"127.0.0.1: the engine ID changed from {ENGINE_ID.hex()} to {OTHER_ID.hex()}"
    ]


@pytest.mark.parametrize("is_silent_before", [False, True])
async def test_a_changed_engine_id_is_a_failure_where_it_must_not_be_followed(
    engine: WireEngine, peer: V3Peer, is_silent_before: bool
) -> None:
    assert is_seven(await ask(engine, peer.agent()))
    if is_silent_before:
        peer.script = silent
        await ask(engine, peer.agent())
        peer.script = V3Peer.behave
    peer.engine_id = OTHER_ID
    for _ in range(2):
        result = failed(await ask(engine, peer.agent(follow_engine_id=False)))
        assert (result.status, "the engine ID changed" in result.reason) == (Status.AUTH, True)
    assert engine._v3._engines.by_address[peer.address].engine_id == ENGINE_ID


async def test_an_engine_that_signed_does_not_give_way_to_an_answer_without_a_signature(
    engine: WireEngine, peer: V3Peer
) -> None:
    assert is_seven(await ask(engine, peer.agent()))
    peer.user, peer.engine_id = PLAIN, OTHER_ID
    for _ in range(2):
        assert is_seven(await ask(engine, peer.agent()))
    assert engine._v3._engines.by_address[peer.address].engine_id == ENGINE_ID
    peer.user, peer.engine_id = USER, ENGINE_ID
    assert is_seven(await ask(engine, peer.agent()))
    assert engine.counters.engine_id_changes == 1


async def test_an_agent_that_does_not_know_its_own_engine_id_fails(engine: WireEngine, peer: V3Peer) -> None:
    peer.script = lambda peer, asked: peer.report(asked, UNKNOWN_ENGINE)
    result = failed(await ask(engine, peer.agent(retries=3)))
    assert (result.status, "unknown engine ID" in result.reason) == (Status.AUTH, True)


async def test_one_engine_id_on_two_addresses_is_reported_once_and_shares_no_state(
    engine: WireEngine, peer: V3Peer, caplog: pytest.LogCaptureFixture
) -> None:
    async with V3Peer(address="127.0.0.2") as twin, V3Peer(address="127.0.0.3") as third:
        twin.boots, twin.time_s = 2, 50
        for _ in range(3):
            for each in (peer, twin, third):
                assert is_seven(await ask(engine, each.agent()))
    assert (engine.counters.shared_engine_ids, engine.counters.resyncs) == (2, 0)
    assert [record.message[:39] for record in caplog.records] == ["127.0.0.2 has the engine ID of 127.0.0."]


# ---- secrets and weight


async def test_no_secret_shows_in_reprs_logs_or_failures(
    engine: WireEngine, peer: V3Peer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    assert is_seven(await ask(engine, peer.agent()))
    result = failed(await ask(engine, peer.agent(UsmUser("shaaes", AuthProtocol.SHA1, Secret("wr0ng-phrase")))))
    (session, *_) = engine._v3._sessions.values()
    shown = f"{vars(engine._v3)!r} {session!r} {session.kit!r} {session._keys!r} {result!r} {caplog.text}"
    for secret in (KEY.reveal(), "wr0ng-phrase", repr(session._keys.auth)[2:-1], repr(session._keys.priv)[2:-1]):
        assert secret not in shown


@pytest.mark.parametrize(("user", "loads"), [("SIGNER", False), ("USER", True)])
def test_a_worker_that_polls_v3_imports_no_pysnmp_and_cryptography_only_to_encrypt(user: str, loads: bool) -> None:
    script = f"""
import asyncio, sys
from streampoll.config.secret import Secret
from streampoll.config.settings import SnmpSettings
from streampoll.model import Target
from streampoll.pollers.snmp import SnmpPoller
from streampoll.snmp.authority import RemoteEngine
from streampoll.snmp.credential import AuthProtocol, PrivProtocol, UsmUser
from streampoll.snmp.session import Kits, Session
from streampoll.snmp.usm import LocalKeys
from streampoll.snmp.message import PduType, Request
KEY = Secret("a-long-passphrase")
USER = UsmUser("u", AuthProtocol.SHA1, KEY, PrivProtocol.AES128, KEY)
SIGNER = UsmUser("u", AuthProtocol.SHA1, KEY)
session = Session({user}, RemoteEngine(b"engine", None), LocalKeys(b"k" * 20, b"p" * 16), Kits(), lambda: 1)
session.encode(Request(PduType.GET, ()), 1, 1.0)
names = {{name.partition(".")[0] for name in sys.modules}}
sys.exit(("pysnmp" in names) * 2 + ("cryptography" in names))
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == int(loads)
