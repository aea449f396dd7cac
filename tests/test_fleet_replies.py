"""Requests in, replies out, without a network; pysnmp reads them as the oracle."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyasn1.codec.ber import decoder
from pysnmp.proto import api

from streampoll.embedded.fleet import Figures, FleetSettings, ber
from streampoll.embedded.fleet.answer import Limits, answer
from streampoll.embedded.fleet.ber import Oid
from streampoll.embedded.fleet.population import make_population
from streampoll.embedded.fleet.reply import make_plan, render, render_slowly
from streampoll.embedded.fleet.request import parse
from streampoll.embedded.fleet.responder import Responder
from streampoll.embedded.fleet.values import UPTIME_MIN, Quantity

GET, GETNEXT, GETBULK, RESPONSE = 0xA0, 0xA1, 0xA5, 0xA2
IFX = (1, 3, 6, 1, 2, 1, 31, 1, 1, 1)
ADDRESS = bytes((127, 1, 0, 1))
NOW_CS = 170_000_000_000
POPULATION = make_population(FleetSettings(interfaces=(16, 16)))
ROOMY = Limits(60_000)


def make_request(
    pdu: int, oids: list[Oid], numbers: tuple[int, int] = (0, 0), request_id: int = 77, version: int = 1
) -> bytes:
    varbinds = b"".join(ber.encode(ber.SEQUENCE, ber.encode_oid(oid) + b"\x05\x00") for oid in oids)
    body = b"".join(map(ber.encode_integer, (request_id, *numbers))) + ber.encode(ber.SEQUENCE, varbinds)
    return ber.encode(
        ber.SEQUENCE, ber.encode_integer(version) + ber.encode(ber.OCTETS, b"public") + ber.encode(pdu, body)
    )


def read(reply: bytes, version: int = 1) -> tuple[int, int, int, list[tuple[Oid, object]]]:
    """Return (request-id, error-status, error-index, bindings) as pysnmp reads them."""
    module = api.PROTOCOL_MODULES[version]
    message, rest = decoder.decode(reply, asn1Spec=module.Message())
    assert not rest
    pdu = module.apiMessage.get_pdu(message)
    bindings = [(tuple(name), value) for name, value in module.apiPDU.get_varbinds(pdu)]
    get = module.apiPDU
    return int(get.get_request_id(pdu)), int(get.get_error_status(pdu)), int(get.get_error_index(pdu)), bindings


def make_responder(**changes: object) -> tuple[Responder, Figures]:
    figures = Figures()
    changed = FleetSettings(interfaces=(16, 16), **changes)
    return Responder(changed, make_population(changed), figures), figures


def ask(responder: Responder, request: bytes, address: bytes = ADDRESS) -> bytes:
    pending = responder.accept(request, address)
    assert pending is not None
    return responder.reply(pending, NOW_CS)


@pytest.mark.parametrize("index", range(6))
def test_a_template_says_what_is_said_value_by_value(index: int) -> None:
    device = POPULATION.derive(index)
    oids = [oid for oid in device.personality.view.oids if not _varies(device.personality.view.values[oid])]
    for first in range(0, len(oids), 20):
        request = parse(make_request(GET, oids[first : first + 20]))
        plan = make_plan(request, answer(request, device.personality, ROOMY))
        assert plan.tail_bytes
        for days in range(0, 200, 7):
            moment = POPULATION.moment(device, NOW_CS + days * 8_640_000)
            assert render(plan, request.request_id, moment) == render_slowly(plan, request.request_id, moment)


def _varies(value: object) -> bool:
    return not isinstance(value, bytes) and not value.width


def test_pysnmp_reads_every_variable_as_it_is() -> None:
    responder, _ = make_responder()
    device = POPULATION.derive(0)
    moment = POPULATION.moment(device, NOW_CS)
    for oid, value in device.personality.view.values.items():
        expected = value if isinstance(value, bytes) else value.at(moment)
        _, status, _, [(name, seen)] = read(ask(responder, make_request(GET, [oid])))
        assert (status, name) == (0, oid)
        assert bytes(seen) == expected[2:] if expected[0] == ber.OCTETS else True
        if expected[0] in (0x02, 0x41, 0x42, 0x43, 0x46):
            assert int(seen) == int.from_bytes(expected[2:], "big")


@given(st.integers(-(2**31), 2**31 - 1), st.integers(0, 1000))
def test_the_request_id_comes_back(request_id: int, index: int) -> None:
    responder, _ = make_responder()
    address = (0x7F010001 + index).to_bytes(4, "big")

    seen, *_ = read(ask(responder, make_request(GET, [(1, 3, 6, 1, 2, 1, 1, 3, 0)], request_id=request_id), address))

    assert seen == request_id


def test_one_plan_serves_all_devices_of_a_personality() -> None:
    responder, _ = make_responder()
    for index in range(500):
        ask(responder, make_request(GET, [(1, 3, 6, 1, 2, 1, 1, 5, 0)], request_id=1 << 24 | index),
            (0x7F010001 + index).to_bytes(4, "big"))  # fmt: skip

    assert len(responder._plans) == 3  # one a role


def test_a_device_that_just_booted_is_served_too() -> None:
    responder, _ = make_responder(reboot_every_s=60)

    _, status, _, [(_, uptime)] = read(ask(responder, make_request(GET, [(1, 3, 6, 1, 2, 1, 1, 3, 0)])))

    assert status == 0
    assert 0 <= int(uptime) < 6000 < UPTIME_MIN


@pytest.mark.parametrize("limit", [484, 700, 1400, 9000])
def test_a_getbulk_reply_is_cut_at_the_limit(limit: int) -> None:
    responder, _ = make_responder(max_reply_bytes=limit)

    reply = ask(responder, make_request(GETBULK, [(*IFX, 6), (*IFX, 10)], (0, 1000)))

    bindings = read(reply)[3]
    assert limit - 100 < len(reply) <= limit or len(bindings) > 200
    assert [oid for oid, _ in bindings[:2]] == [(*IFX, 6, 1), (*IFX, 10, 1)]


def test_huge_repetitions_end_with_the_mib() -> None:
    responder, _ = make_responder(max_reply_bytes=65_000)

    *_, bindings = read(ask(responder, make_request(GETBULK, [(1, 3, 6, 1, 6, 3, 10, 2, 1, 3)], (0, 2**31 - 1))))

    assert len(bindings) == 3  # two variables and the end, once


def test_an_agent_that_does_not_cut_says_too_big() -> None:
    responder, _ = make_responder(too_big_bytes=500)

    _, status, index, bindings = read(ask(responder, make_request(GETBULK, [(*IFX, 6)], (0, 40))))
    _, smaller, *_ = read(ask(responder, make_request(GETBULK, [(*IFX, 6)], (0, 10))))

    assert (status, index, bindings) == (1, 0, [])
    assert smaller == 0


def test_v1_repeats_the_request_in_an_error() -> None:
    responder, _ = make_responder()
    oids = [(1, 3, 6, 1, 2, 1, 1, 5, 0), (*IFX, 6, 1)]  # the second is a Counter64

    _, status, index, bindings = read(ask(responder, make_request(GET, oids, version=0)), version=0)

    assert (status, index, [oid for oid, _ in bindings]) == (2, 2, oids)


def test_loss_and_silence_have_their_shares() -> None:
    responder, figures = make_responder(loss=0.25, silent=0.1)
    request = make_request(GET, [(1, 3, 6, 1, 2, 1, 1, 5, 0)])

    answered = sum(
        responder.accept(request, (0x7F010001 + index).to_bytes(4, "big")) is not None for index in range(4000)
    )

    assert abs(figures.silent - 400) <= 1
    assert 800 < figures.lost < 1000
    assert answered == figures.requests - figures.silent - figures.lost


def test_only_loopback_addresses_are_devices() -> None:
    responder, figures = make_responder()

    assert responder.accept(make_request(GET, [(1, 3, 6, 1)]), bytes((192, 0, 2, 1))) is None
    assert figures.malformed == 1


def test_bytes_after_a_request_make_it_malformed() -> None:
    responder, figures = make_responder()

    assert responder.accept(make_request(GET, [(1, 3, 6, 1)]) + b"\0", ADDRESS) is None
    assert figures.malformed == 1


def test_a_request_that_the_short_cut_would_misread_is_dropped() -> None:
    responder, figures = make_responder()
    plain = make_request(GET, [(1, 3, 6, 1)])
    padded = bytes((plain[0], plain[1] + 1)) + b"\x02\x02\x00\x01" + plain[5:]  # version 1 in two bytes
    community = padded.index(b"public") - 1
    shifted = padded[:community] + b"\x06" + padded[community + 1 :]

    assert ber.decode(shifted, 0) == (2, len(shifted))
    assert responder.accept(shifted, ADDRESS) is None
    assert figures.malformed == 1


@settings(max_examples=400)
@given(st.data())
def test_broken_requests_are_dropped_or_answered_and_never_raise(data: st.DataObject) -> None:
    responder, figures = make_responder()
    broken = bytearray(make_request(GETBULK, [(*IFX, 6), (1, 3, 6, 1, 2, 1, 1, 3, 0)], (0, 5)))
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    del broken[data.draw(st.integers(0, len(broken))) :]

    for _ in range(2):  # the second time from the plans kept
        pending = responder.accept(bytes(broken), ADDRESS)
        if pending is not None:
            read(responder.reply(pending, NOW_CS), broken[4])

    assert figures.requests == 2


@given(st.binary(max_size=60))
def test_noise_is_dropped(noise: bytes) -> None:
    responder, figures = make_responder()

    assert responder.accept(noise, ADDRESS) is None
    assert figures.malformed == 1


def test_all_moving_values_stay_in_their_width() -> None:
    days = range(0, 200, 3)
    moments = [POPULATION.moment(POPULATION.derive(i), NOW_CS + day * 8_640_000) for i in range(40) for day in days]
    settled = [moment for moment in moments if moment[Quantity.UPTIME] >= UPTIME_MIN]
    personalities = {
        POPULATION.derive(index).personality.name: POPULATION.derive(index).personality for index in range(40)
    }
    for personality in personalities.values():
        for value in personality.view.values.values():
            if not isinstance(value, bytes) and value.width:
                assert {len(value.at(moment)) for moment in settled} == {2 + value.width}
