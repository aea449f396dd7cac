"""SNMPv3 messages as bytes: pysnmp as oracle, the fast path against the complete decoder, hostile bytes."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyasn1.codec.ber import decoder, encoder
from pyasn1.error import PyAsn1Error

from streampoll.errors import SnmpError
from streampoll.snmp import ber, message_v3
from streampoll.snmp.message import FIRST_ID, LAST_ID, PduType, Request
from streampoll.snmp.message_v3 import AUTH, MAX_TIME, PRIV, Envelope, HeadV3
from streampoll.snmp.plain_cells import INTEGERS
from streampoll.snmp.plain_values import ValuesForm
from tests.snmp_model_support import forms_at_once
from tests.test_snmp_codec import OID, OIDS, VALUES

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pysnmp imports old names of pysmi
    from pysnmp.proto import rfc1902
    from pysnmp.proto.api import v2c
    from pysnmp.proto.mpmod.rfc3412 import ScopedPDU, SNMPv3Message
    from pysnmp.proto.secmod.rfc3414.service import UsmSecurityParameters

ENGINE_ID = bytes.fromhex("80001f8880a1b2c3d4")
IDS = st.integers(FIRST_ID, LAST_ID)
TIMES = st.integers(0, MAX_TIME)
ENGINES = st.binary(min_size=5, max_size=32)
NAMES = st.text(max_size=10).map(str.encode)


def scoped(varbinds: list[tuple[tuple[int, ...], object]], request_id: int, engine_id: bytes, context: bytes) -> bytes:
    """Encode a scoped PDU with pysnmp."""
    pdu = v2c.ResponsePDU()
    v2c.apiPDU.set_defaults(pdu)
    v2c.apiPDU.set_request_id(pdu, request_id)
    pdu[3].clear()
    for n, (oid, value) in enumerate(varbinds):
        bind = v2c.VarBind()
        v2c.apiVarBind.set_oid_value(bind, (oid, value))
        pdu[3].setComponentByPosition(n, bind)
    outer = ScopedPDU()
    outer[0], outer[1] = engine_id, context
    outer[2].setComponentByType(pdu.tagSet, pdu, verifyConstraints=False)
    return bytes(encoder.encode(outer))


def message(data: bytes, *, msg_id: int = 7, flags: int = 3, boots: int = 3, time_s: int = 4, **names: bytes) -> bytes:
    """Encode a message with pysnmp around the element `data` of a scoped PDU or ciphertext."""
    inside = UsmSecurityParameters()
    inside[0], inside[1], inside[2] = names.get("engine_id", ENGINE_ID), boots, time_s
    inside[3], inside[4], inside[5] = (
        names.get("user", b"user"),
        names.get("mac", b"m" * 24),
        names.get("salt", b"s" * 8),
    )
    header = encoder.encode(rfc1902.Integer32(msg_id)) + encoder.encode(rfc1902.Integer32(65507))
    header += encoder.encode(rfc1902.OctetString(bytes((flags,)))) + encoder.encode(rfc1902.Integer32(3))
    parameters = encoder.encode(rfc1902.OctetString(encoder.encode(inside)))
    whole = b"\x02\x01\x03" + ber.encode_tlv(ber.SEQUENCE, bytes(header)) + bytes(parameters) + data
    return ber.encode_tlv(ber.SEQUENCE, whole)


PLAIN = scoped([(OID, rfc1902.TimeTicks(1)), (OID, rfc1902.OctetString(b"abc"))], 7, ENGINE_ID, b"")


@given(IDS, ENGINES, NAMES, TIMES, TIMES, st.sampled_from([0, AUTH, AUTH | PRIV]), st.lists(OIDS, max_size=6))
def test_pysnmp_reads_our_requests(
    number: int, engine_id: bytes, user: bytes, boots: int, time_s: int, level: int, oids: list[tuple[int, ...]]
) -> None:
    mac_bytes = 24 if level else 0
    envelope = Envelope(engine_id, user, b"vlan-7", level, mac_bytes)
    request = Request(PduType.GET, tuple(map(ber.encode_oid, oids)))
    data = envelope.scoped(PduType.GET, number, request.tail)
    salt = b"saltsalt" if level & PRIV else b""
    sent = message_v3.encode_ciphertext(data) if salt else data

    whole, mac_at = envelope.seal(number, message_v3.encode_moment(boots, time_s), salt, sent)

    read, rest = decoder.decode(whole, asn1Spec=SNMPv3Message())
    inside, more = decoder.decode(read[2], asn1Spec=UsmSecurityParameters())
    assert (rest, more, int(read[0]), int(read[1][0]), int(read[1][3])) == (b"", b"", 3, number, 3)
    assert bytes(read[1][2]) == bytes((level | message_v3.REPORTABLE,))
    assert [bytes(inside[n]) for n in (0, 3, 4, 5)] == [engine_id, user, bytes(mac_bytes), salt]
    assert (int(inside[1]), int(inside[2])) == (boots, time_s)
    assert whole[mac_at - 2 : mac_at + mac_bytes] == bytes((4, mac_bytes)) + bytes(mac_bytes)
    plain, _ = decoder.decode(bytes(read[3]["encryptedPDU"]) if salt else data, asn1Spec=ScopedPDU())
    pdu = plain[2].getComponent()
    assert (bytes(plain[0]), bytes(plain[1]), int(pdu[0])) == (engine_id, b"vlan-7", number)
    assert [tuple(oid) for oid, _ in v2c.apiPDU.get_varbinds(pdu)] == oids


@given(
    msg_id=st.integers(0, LAST_ID), flags=st.sampled_from([0, 1, 3, 4, 5, 7]), boots=TIMES, time_s=TIMES,
    engine_id=ENGINES, user=NAMES, mac=st.sampled_from([b"", b"m" * 12, b"m" * 48]),
    salt=st.sampled_from([b"", b"s" * 8]),
)  # fmt: skip
def test_heads_of_pysnmp_are_read_as_they_were_meant(
    msg_id: int, flags: int, boots: int, time_s: int, engine_id: bytes, user: bytes, mac: bytes, salt: bytes
) -> None:
    data = message(
        PLAIN, msg_id=msg_id, flags=flags, boots=boots, time_s=time_s,
        engine_id=engine_id, user=user, mac=mac, salt=salt,
    )  # fmt: skip
    head = message_v3.read_head_v3(data)
    mac_at = data.index(mac, len(data) - len(PLAIN) - len(salt) - 2 - len(mac)) if mac else head.mac_at
    assert head == HeadV3(
        msg_id, 3, flags, engine_id, boots, time_s, user, mac_at, len(mac), salt, len(data) - len(PLAIN)
    )  # fmt: skip
    assert message_v3.is_v3(data)


@given(st.lists(st.tuples(OIDS, VALUES), max_size=8), IDS, ENGINES, NAMES, st.integers(0, 15))
def test_scoped_pdus_of_pysnmp_are_read_as_they_were_meant(
    varbinds: list[tuple[tuple[int, ...], tuple[object, ber.Wire]]],
    number: int, engine_id: bytes, context: bytes, padding: int,
) -> None:  # fmt: skip
    data = scoped([(oid, value) for oid, (value, _) in varbinds], number, engine_id, context)
    pdu = message_v3.read_scoped(data + b"\x07" * padding, 0, 15)
    assert (pdu.kind, pdu.request_id, pdu.error_status, pdu.error_index) == (PduType.RESPONSE, number, 0, 0)
    assert [(ber.decode_oid(oid), value) for oid, _, value in pdu.varbinds] == [
        (oid, meant) for oid, (_, meant) in varbinds
    ]


@pytest.mark.parametrize(("status", "kind", "is_plain"), [(0, 0xA2, True), (5, 0xA2, False), (0, 0xA8, False)])
def test_a_form_reads_responses_and_neither_errors_nor_reports(status: int, kind: int, is_plain: bool) -> None:
    data = bytearray(scoped([(OID, rfc1902.TimeTicks(1))], 7, ENGINE_ID, b""))
    pdu = data.index(b"\xa2")
    data[pdu] = kind
    data[data.index(b"\x02\x01\x00", pdu) + 2] = status
    with forms_at_once(140):
        read = message_v3.read_scoped(bytes(data) + bytes(3), 0, 15, ValuesForm([ber.encode_oid(OID)], [INTEGERS]))
    assert (read.error_status, read.plain is not None, len(read.varbinds)) == (status, is_plain, not is_plain)


def test_long_form_lengths_are_accepted_everywhere() -> None:
    def long(tag: int, content: bytes) -> bytes:
        return bytes((tag, 0x84)) + len(content).to_bytes(4) + content

    inside = long(4, ENGINE_ID) + long(2, b"\x05") + long(2, b"\x06") + long(4, b"user") + long(4, b"") + long(4, b"")
    header = long(2, b"\x01\x02\x03\x04") + long(2, b"\x05\xdc") + long(4, b"\x00") + long(2, b"\x03")
    data = long(
        ber.SEQUENCE, b"\x02\x01\x03" + long(ber.SEQUENCE, header) + long(4, long(ber.SEQUENCE, inside)) + PLAIN
    )
    head = message_v3.read_head_v3(data)
    assert (head.msg_id, head.engine_id, head.boots, head.time_s, head.user) == (0x01020304, ENGINE_ID, 5, 6, b"user")
    assert message_v3.read_scoped(data, head.data_at).request_id == 7


def test_v1_and_v2c_are_not_taken_for_v3() -> None:
    for version in (0, 1, 2, 4):
        assert not message_v3.is_v3(b"\x30\x05\x02\x01" + bytes((version, 4, 0)))
    assert not any(map(message_v3.is_v3, (b"", b"\x30", b"\x30\x82", b"\x30\xff\x02")))


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"flags": PRIV}, id="privacy without authentication"),
        pytest.param({"boots": -1}, id="negative boots"),
        pytest.param({"time_s": -1}, id="a negative time"),
        pytest.param({"engine_id": b"e" * 33}, id="an engine ID over 32 bytes"),
        pytest.param({"user": b"u" * 33}, id="a user over 32 bytes"),
        pytest.param({"salt": b"s" * 40}, id="a salt of 40 bytes"),
    ],
)
def test_what_the_rfc_rules_out_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(SnmpError):
        message_v3.read_head_v3(lenient(**changed))


def lenient(
    flags: int = 0,
    boots: int = 1,
    time_s: int = 1,
    engine_id: bytes = ENGINE_ID,
    user: bytes = b"user",
    salt: bytes = b"",
) -> bytes:
    """Encode a message as pysnmp would refuse to."""
    inside = ber.encode_tlv(4, engine_id) + ber.encode_integer(boots) + ber.encode_integer(time_s)
    inside += ber.encode_tlv(4, user) + ber.encode_tlv(4, b"") + ber.encode_tlv(4, salt)
    header = ber.encode_integer(7) + ber.encode_integer(65507) + bytes((4, 1, flags)) + ber.encode_integer(3)
    parameters = ber.encode_tlv(4, ber.encode_tlv(ber.SEQUENCE, inside))
    return ber.encode_tlv(ber.SEQUENCE, b"\x02\x01\x03" + ber.encode_tlv(ber.SEQUENCE, header) + parameters + PLAIN)


@given(st.binary(min_size=1, max_size=8))
def test_trailing_bytes_are_an_error(extra: bytes) -> None:
    for data in (message(PLAIN) + extra, message(PLAIN + extra)):
        with pytest.raises(SnmpError):
            message_v3.read_scoped(data, message_v3.read_head_v3(data).data_at)
    with pytest.raises(SnmpError):
        message_v3.ciphertext(ber.encode_tlv(4, b"cipher") + extra, 0)


def test_more_bytes_than_padding_after_a_scoped_pdu_are_an_error() -> None:
    with pytest.raises(SnmpError, match="16 bytes after"):
        message_v3.read_scoped(PLAIN + bytes(16), 0, 15)


@given(st.data())
def test_a_message_cut_anywhere_is_an_error(data: st.DataObject) -> None:
    whole = message(PLAIN)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(SnmpError):
        message_v3.read_head_v3(cut)


# ---- the fast path, and hostile bytes


def outcome(function: Callable[[bytes], object], data: bytes) -> object:
    try:
        return function(data)
    except SnmpError:
        return "refused"


def assert_both_paths_agree(data: bytes) -> None:
    assert outcome(message_v3.read_head_v3, data) == outcome(message_v3._read_head, data), data.hex()


def test_the_fast_path_agrees_whatever_byte_of_a_message_is_changed() -> None:
    for intact in (message(PLAIN, msg_id=0x01020304), message(PLAIN * 8, msg_id=0x01020304, salt=b"", mac=b"m" * 48)):
        assert message_v3._read_plain(intact) is not None, "this test is about what the fast path reads"
        for at in range(len(intact) - len(PLAIN)):
            for byte in range(256):
                assert_both_paths_agree(intact[:at] + bytes((byte,)) + intact[at + 1 :])


@settings(max_examples=300)
@given(st.data())
def test_the_fast_path_agrees_when_several_bytes_are_changed_or_cut(data: st.DataObject) -> None:
    damaged = bytearray(message(PLAIN, msg_id=data.draw(IDS), boots=data.draw(TIMES), user=data.draw(NAMES)))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    assert_both_paths_agree(bytes(damaged))
    assert_both_paths_agree(bytes(damaged[: data.draw(st.integers(0, len(damaged)))]))


@settings(max_examples=400)
@given(st.data())
def test_damaged_messages_raise_nothing_but_snmp_errors_and_are_read_as_pysnmp_reads_them(data: st.DataObject) -> None:
    damaged = bytearray(message(PLAIN))
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    ours = outcome(message_v3.read_head_v3, bytes(damaged))
    theirs = pysnmps_head(bytes(damaged))
    if isinstance(ours, HeadV3) and theirs is not None:
        assert (ours.msg_id, ours.engine_id, ours.boots, ours.time_s, ours.user) == theirs
        outcome(lambda whole: message_v3.read_scoped(whole, ours.data_at), bytes(damaged))


def pysnmps_head(data: bytes) -> tuple[int, bytes, int, int, bytes] | None:
    """Return what pysnmp makes of a message; None if it refuses it."""
    try:
        read, rest = decoder.decode(data, asn1Spec=SNMPv3Message())
        inside, more = decoder.decode(read[2], asn1Spec=UsmSecurityParameters())
        if rest or more:
            return None
        return int(read[1][0]), bytes(inside[0]), int(inside[1]), int(inside[2]), bytes(inside[3])
    except (PyAsn1Error, ValueError, IndexError, TypeError, AttributeError, KeyError):
        return None


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_raise_nothing_but_snmp_errors(data: bytes) -> None:
    for whole in (data, ber.encode_tlv(ber.SEQUENCE, b"\x02\x01\x03" + data), message(data)):
        head = outcome(message_v3.read_head_v3, whole)
        if isinstance(head, HeadV3):
            outcome(lambda b, at=head.data_at: message_v3.read_scoped(b, at), whole)  # type: ignore[misc]
            outcome(lambda b, at=head.data_at: message_v3.ciphertext(b, at), whole)  # type: ignore[misc]


@pytest.mark.parametrize(
    "hostile",
    [
        b"\x30\x84\xff\xff\xff\xff" + b"\x02\x01\x03",
        b"\x30\x80" * 30_000,
        message(b"\x30\x84\x7f\xff\xff\xff" * 5_000),
        ber.encode_tlv(ber.SEQUENCE, b"\x02\x01\x03" + b"\x30\x83\x00\xff\xf0" * 10_000),
    ],
    ids=range(4),
)
def test_hostile_lengths_end_at_once(hostile: bytes) -> None:
    with pytest.raises(SnmpError):
        message_v3.read_scoped(hostile, message_v3.read_head_v3(hostile).data_at)
