"""The BER codec and v1/v2c messages: pysnmp's encoder and decoder as oracle, what real agents send, hostile bytes."""

import warnings
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyasn1.codec.ber import decoder, encoder

from streampoll.config.secret import Secret
from streampoll.errors import SnmpError
from streampoll.snmp import ber, message
from streampoll.snmp.ber import Absent
from streampoll.snmp.credential import Community, Version
from streampoll.snmp.message import PduType, Request

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pysnmp imports old names of pysmi
    from pysnmp.proto import rfc1902, rfc1905
    from pysnmp.proto.api import v1, v2c

OID = (1, 3, 6, 1, 2, 1, 1, 3, 0)
ARCS = st.lists(st.integers(0, 2**32 - 1), max_size=20)
OIDS = st.tuples(st.integers(0, 1), st.integers(0, 39), ARCS).map(lambda t: (t[0], t[1], *t[2]))
REQUEST_IDS = st.integers(message.FIRST_ID, message.LAST_ID)

VALUES = st.one_of(
    st.integers(-(2**31), 2**31 - 1).map(lambda n: (rfc1902.Integer32(n), n)),
    st.integers(0, 2**32 - 1).map(lambda n: (rfc1902.Counter32(n), n)),
    st.integers(0, 2**32 - 1).map(lambda n: (rfc1902.Gauge32(n), n)),
    st.integers(0, 2**32 - 1).map(lambda n: (rfc1902.TimeTicks(n), n)),
    st.integers(0, 2**64 - 1).map(lambda n: (rfc1902.Counter64(n), n)),
    st.binary(max_size=300).map(lambda b: (rfc1902.OctetString(b), b)),
    st.binary(max_size=30).map(lambda b: (rfc1902.Opaque(b), b)),
    st.binary(min_size=4, max_size=4).map(lambda b: (rfc1902.IpAddress(b), b)),
    OIDS.map(lambda o: (rfc1902.ObjectIdentifier(o), ber.dotted(o))),
    st.just((rfc1905.noSuchObject, Absent.NO_SUCH_OBJECT)),
    st.just((rfc1905.noSuchInstance, Absent.NO_SUCH_INSTANCE)),
    st.just((rfc1905.endOfMibView, Absent.END_OF_MIB_VIEW)),
)


def response(varbinds: list[tuple[tuple[int, ...], object]], request_id: int = 0x01020304, status: int = 0) -> bytes:
    """Encode a v2c response with pysnmp."""
    pdu = v2c.ResponsePDU()
    v2c.apiPDU.set_defaults(pdu)
    v2c.apiPDU.set_request_id(pdu, request_id)
    v2c.apiPDU.set_error_status(pdu, status)
    pdu[3].clear()
    for n, (oid, value) in enumerate(varbinds):
        bind = v2c.VarBind()
        v2c.apiVarBind.set_oid_value(bind, (oid, value))
        pdu[3].setComponentByPosition(n, bind)
    outer = v2c.Message()
    v2c.apiMessage.set_defaults(outer)
    v2c.apiMessage.set_community(outer, "public")
    v2c.apiMessage.set_pdu(outer, pdu)
    return bytes(encoder.encode(outer))


def read(data: bytes) -> list[message.Varbind]:
    return message.read_varbinds(data, message.read_head(data)[-1])


def plain_response(varbind: bytes) -> bytes:
    """Make a response around the bytes of its varbinds."""
    pdu = bytes.fromhex("020401020304020100020100") + ber.encode_tlv(ber.SEQUENCE, varbind)
    return ber.encode_tlv(ber.SEQUENCE, bytes.fromhex("02010104067075626c6963") + ber.encode_tlv(0xA2, pdu))


def one_value(tag: int, content: bytes) -> ber.Wire:
    """Decode a response with one value, given as bytes."""
    varbind = ber.encode_tlv(ber.OBJECT_IDENTIFIER, ber.encode_oid(OID)) + ber.encode_tlv(tag, content)
    ((_, _, value),) = read(plain_response(ber.encode_tlv(ber.SEQUENCE, varbind)))
    return value


@given(OIDS)
def test_oids_encode_as_pyasn1_does_and_come_back(oid: tuple[int, ...]) -> None:
    content = ber.encode_oid(oid)
    assert ber.encode_tlv(ber.OBJECT_IDENTIFIER, content) == encoder.encode(rfc1902.ObjectIdentifier(oid))
    assert ber.decode_oid(content) == oid


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_encode_as_pyasn1_does_and_come_back(value: int) -> None:
    encoded = ber.encode_integer(value)
    assert encoded == encoder.encode(rfc1902.univ.Integer(value))
    assert ber.decode_integer(encoded[2:]) == value


@given(st.lists(st.tuples(OIDS, VALUES), max_size=12), REQUEST_IDS)
def test_a_response_of_pysnmp_is_read_as_it_was_meant(
    varbinds: list[tuple[tuple[int, ...], tuple[object, ber.Wire]]], request_id: int
) -> None:
    data = response([(oid, value) for oid, (value, _) in varbinds], request_id)
    assert message.read_head(data)[:5] == (request_id, 1, PduType.RESPONSE, 0, 0)
    got = [(ber.decode_oid(oid), value) for oid, _, value in read(data)]
    assert got == [(oid, meant) for oid, (_, meant) in varbinds]


@given(st.lists(OIDS, max_size=12), REQUEST_IDS, st.sampled_from([Version.V1, Version.V2C]), st.text(max_size=40))
def test_pysnmp_reads_our_requests(oids: list[tuple[int, ...]], request_id: int, version: Version, name: str) -> None:
    request = Request(PduType.GET, tuple(map(ber.encode_oid, oids)))
    prefix = message.encode_prefix(Community(Secret(name), version), PduType.GET, len(request.tail))
    api = v1 if version is Version.V1 else v2c
    read_back, rest = decoder.decode(prefix + request_id.to_bytes(4) + request.tail, asn1Spec=api.Message())
    pdu = api.apiMessage.get_pdu(read_back)
    assert not rest
    assert bytes(api.apiMessage.get_community(read_back)) == name.encode()
    assert api.apiPDU.get_request_id(pdu) == request_id
    assert [tuple(oid) for oid, _ in api.apiPDU.get_varbinds(pdu)] == oids


def test_a_getbulk_carries_its_repetitions() -> None:
    request = Request(PduType.GETBULK, (ber.encode_oid(OID),) * 3, non_repeaters=1, max_repetitions=300)
    prefix = message.encode_prefix(Community(Secret("public")), PduType.GETBULK, len(request.tail))
    read_back, _ = decoder.decode(prefix + b"\x01\x02\x03\x04" + request.tail, asn1Spec=v2c.Message())
    pdu = v2c.apiMessage.get_pdu(read_back)
    assert (int(pdu[1]), int(pdu[2]), request.expected) == (1, 300, 601)


def test_v1_has_no_getbulk() -> None:
    with pytest.raises(SnmpError, match="no GETBULK"):
        message.encode_prefix(Community(Secret("public"), Version.V1), PduType.GETBULK, 20)


@pytest.mark.parametrize(
    ("tag", "content", "value"),
    [
        pytest.param(ber.COUNTER64, b"", 0, id="an empty Counter64 is 0"),
        pytest.param(ber.INTEGER, b"", 0, id="an empty INTEGER is 0"),
        pytest.param(ber.COUNTER32, b"\xff\xff\xff\xff", 2**32 - 1, id="a Counter32 without its leading zero"),
        pytest.param(ber.COUNTER32, b"\xff", 2**32 - 1, id="a Counter32 encoded as -1"),
        pytest.param(ber.GAUGE32, b"\x80\x00\x00\x00", 2**31, id="a Gauge32 encoded as negative"),
        pytest.param(ber.TIME_TICKS, b"\xff\xff\xff\xfe", 2**32 - 2, id="TimeTicks encoded as negative"),
        pytest.param(ber.COUNTER64, b"\xff" * 8, 2**64 - 1, id="a Counter64 without its leading zero"),
        pytest.param(ber.COUNTER64, b"\x00" + b"\xff" * 8, 2**64 - 1, id="the largest Counter64"),
        pytest.param(ber.COUNTER64, b"\x20" + b"\x00" * 6 + b"\x01", 2**61 + 1, id="a Counter64 that no float holds"),
        pytest.param(ber.INTEGER, b"\x00\x00\x00\x00\x00\x05", 5, id="superfluous zeros"),
        pytest.param(ber.INTEGER, b"\x00" * 20 + b"\x05", 5, id="twenty superfluous zeros"),
        pytest.param(ber.INTEGER, b"\xff\xff\xff\xff\xff\xfb", -5, id="superfluous ones"),
        pytest.param(ber.INTEGER, b"\x80", -128, id="a negative INTEGER"),
        pytest.param(ber.OCTET_STRING, b"\xff\x00\xfe", b"\xff\x00\xfe", id="bytes that are no text"),
        pytest.param(ber.OBJECT_IDENTIFIER, b"", "0.0", id="an empty OID"),
        pytest.param(ber.NULL, b"", Absent.NULL, id="a NULL for a value"),
        pytest.param(ber.OPAQUE, b"\x9f\x78\x04\x3f\xc0\x00\x00", 1.5, id="a float inside Opaque"),
    ],
)
def test_what_real_agents_send_is_understood(tag: int, content: bytes, value: ber.Wire) -> None:
    got = one_value(tag, content)
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    ("tag", "content"),
    [
        pytest.param(ber.INTEGER, b"\x01" * 9, id="an INTEGER of nine bytes"),
        pytest.param(ber.COUNTER64, b"\x01" + b"\x00" * 40_000, id="an integer of 40,000 bytes"),
        pytest.param(ber.COUNTER32, b"\xfe" + b"\x00" * 7, id="far below zero where nothing is negative"),
        pytest.param(ber.OBJECT_IDENTIFIER, b"\x2b\x80\x01", id="an arc with leading zeros"),
        pytest.param(ber.OBJECT_IDENTIFIER, b"\x2b\x86", id="an OID that ends within an arc"),
        pytest.param(ber.OBJECT_IDENTIFIER, b"\x2b" + b"\xff" * 9 + b"\x7f", id="an arc over 32 bits"),
        pytest.param(ber.OBJECT_IDENTIFIER, b"\x2b" * 5_000, id="an OID of 5,000 arcs"),
        pytest.param(0x09, b"\x01", id="a tag that SNMP has not"),
    ],
)
def test_values_that_are_no_snmp_are_refused(tag: int, content: bytes) -> None:
    with pytest.raises(SnmpError):
        one_value(tag, content)


def test_long_form_lengths_are_accepted_everywhere() -> None:
    def long(tag: int, content: bytes) -> bytes:
        return bytes((tag, 0x84)) + len(content).to_bytes(4) + content

    varbind = long(ber.SEQUENCE, long(ber.OBJECT_IDENTIFIER, ber.encode_oid(OID)) + long(ber.COUNTER64, b"\x07"))
    head = long(2, b"\x01\x02\x03\x04") + long(2, b"\x00") + long(2, b"\x00")
    pdu = long(0xA2, head + long(ber.SEQUENCE, varbind))
    data = long(ber.SEQUENCE, long(2, b"\x01") + long(4, b"public") + pdu)
    assert message.read_head(data)[0] == 0x01020304
    assert read(data) == [(ber.encode_oid(OID), ber.COUNTER64, 7)]


@given(st.binary(min_size=1, max_size=8))
def test_trailing_bytes_are_an_error(extra: bytes) -> None:
    data = response([(OID, rfc1902.TimeTicks(1))])
    with pytest.raises(SnmpError):
        read(data + extra)


def test_trailing_bytes_inside_are_an_error() -> None:
    varbind = ber.encode_tlv(ber.OBJECT_IDENTIFIER, ber.encode_oid(OID)) + b"\x02\x01\x07\x00"
    with pytest.raises(SnmpError, match="after a value"):
        read(plain_response(ber.encode_tlv(ber.SEQUENCE, varbind)))


@pytest.mark.parametrize("missing", range(1, 15))
def test_an_element_that_is_longer_than_what_holds_it_is_an_error(missing: int) -> None:
    varbind = ber.encode_tlv(ber.OBJECT_IDENTIFIER, ber.encode_oid(OID)) + ber.encode_tlv(ber.OCTET_STRING, b"abcdef")
    for whole in (ber.encode_tlv(ber.SEQUENCE, varbind), b"\x30\x81" + bytes((len(varbind),)) + varbind):
        with pytest.raises(SnmpError):
            read(plain_response(whole[:-missing]))


@given(st.integers(0, 200))
def test_a_response_cut_anywhere_is_an_error(length: int) -> None:
    data = response([(OID, rfc1902.TimeTicks(1)), (OID, rfc1902.OctetString(b"x" * 100))])
    with pytest.raises(SnmpError):
        read(data[: min(length, len(data) - 1)])


@settings(max_examples=400)
@given(st.data())
def test_damaged_responses_raise_nothing_but_snmp_errors(data: st.DataObject) -> None:
    damaged = bytearray(
        response([(OID, rfc1902.TimeTicks(1)), (OID, rfc1902.Counter64(2**63)), (OID, rfc1902.OctetString(b"abc"))])
    )
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    _read_or_refuse(bytes(damaged))


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_raise_nothing_but_snmp_errors(data: bytes) -> None:
    _read_or_refuse(data)
    _read_or_refuse(plain_response(data))
    _read_or_refuse(plain_response(ber.encode_tlv(ber.SEQUENCE, data)))


def _read_or_refuse(data: bytes) -> None:
    try:
        read(data)
    except SnmpError:
        return


def _assert_both_paths_agree(data: bytes) -> None:
    """Compare the fast paths with the complete decoder."""
    head = _outcome(message._read_head, data)
    assert _outcome(message.read_head, data) == head, data.hex()
    if isinstance(head, tuple):
        complete = _outcome(message._read_varbinds, data, head[-1])
        assert _outcome(message.read_varbinds, data, head[-1]) == complete, data.hex()


def _outcome(function: Callable[..., object], *arguments: object) -> object:
    try:
        return function(*arguments)
    except SnmpError:
        return "refused"


@settings(max_examples=100)
@given(st.lists(st.tuples(OIDS, VALUES), max_size=4), st.data())
def test_the_fast_path_answers_as_the_complete_decoder_does(
    varbinds: list[tuple[tuple[int, ...], tuple[object, ber.Wire]]], data: st.DataObject
) -> None:
    damaged = bytearray(response([(oid, value) for oid, (value, _) in varbinds]))
    if data.draw(st.booleans()):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    _assert_both_paths_agree(bytes(damaged))


def test_the_fast_path_agrees_whatever_byte_of_a_message_is_changed() -> None:
    values = [
        rfc1902.TimeTicks(1),
        rfc1902.Counter64(2**63),
        rfc1902.OctetString(b"abc"),
        rfc1902.ObjectIdentifier(OID),
    ]
    intact = response([(OID, value) for value in values])
    for at in range(len(intact)):
        for byte in range(256):
            _assert_both_paths_agree(intact[:at] + bytes((byte,)) + intact[at + 1 :])


@pytest.mark.parametrize(
    "hostile",
    [
        b"\x30\x84\xff\xff\xff\xff" + b"\x02\x01\x01",
        b"\x30\x88" + b"\x7f" * 8,
        b"\x30\x80" * 30_000,
        b"\x30\x83\x00\xff\xf0" * 13_000,
        plain_response(b"\x30\x00" * 30_000),
        plain_response(b"\x30\x84\x7f\xff\xff\xff" * 5_000),
    ],
)
def test_hostile_lengths_end_at_once(hostile: bytes) -> None:
    with pytest.raises(SnmpError):
        read(hostile)


def test_an_error_status_without_a_name_is_shown_by_number() -> None:
    assert message.ErrorStatus.name_of(5) == "genErr"
    assert message.ErrorStatus.name_of(77) == "error-status 77"


@pytest.mark.parametrize("oid", [(), (1,), (3, 1), (1, 40), (1, 3, 2**32), (1, 3, -1), (1, 3) + (1,) * 200])
def test_oids_that_can_not_be_encoded_are_refused(oid: tuple[int, ...]) -> None:
    with pytest.raises(SnmpError, match="can't be encoded"):
        ber.encode_oid(oid)
