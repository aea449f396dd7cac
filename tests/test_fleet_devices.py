"""What follows from a seed and an address: pure, no network."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streampoll.embedded.fleet import FleetSettings, device_address, device_name
from streampoll.embedded.fleet.addresses import MAX_DEVICES, device_index
from streampoll.embedded.fleet.device import KEPT, Population, is_silent
from streampoll.embedded.fleet.population import make_population
from streampoll.embedded.fleet.settings import check
from streampoll.embedded.fleet.values import Moving, Quantity
from streampoll.errors import ConfigError

NOW_CS = 170_000_000_000
DAY_CS = 8_640_000


@pytest.mark.parametrize(
    ("index", "address"), [(0, "127.1.0.1"), (255, "127.1.1.0"), (MAX_DEVICES - 1, "127.255.255.254")]
)
def test_an_index_is_an_address_and_back(index: int, address: str) -> None:
    assert device_address(index) == address
    assert device_index(bytes(map(int, address.split(".")))) == index


def test_there_is_no_device_beyond_the_network() -> None:
    for index in (-1, MAX_DEVICES):
        with pytest.raises(ValueError, match="not in 0"):
            device_address(index)


def test_names_are_unique_and_of_one_length() -> None:
    names = {device_name(index) for index in range(70_000)}

    assert len(names) == 70_000
    assert {len(name) for name in names} == {15}


@given(share=st.floats(0, 1), devices=st.integers(1, 2000), seed=st.integers(0, 1000))
def test_the_silent_share_of_any_first_devices_is_right_to_one(share: float, devices: int, seed: int) -> None:
    silent = sum(is_silent(index, share, seed) for index in range(devices))

    assert abs(silent - devices * share) <= 1.01  # shares count in millionths


def test_eleven_per_cent_of_the_demo_are_silent() -> None:
    assert sum(is_silent(index, 0.11, 1) for index in range(1414)) in (155, 156)


def test_silence_depends_on_the_seed_and_is_not_regular() -> None:
    places = [[index for index in range(1000) if is_silent(index, 0.11, seed)] for seed in (1, 2)]
    gaps = {after - before for before, after in pairwise(places[0])}

    assert places[0] != places[1]
    assert len(gaps) > 5


def test_a_device_is_the_same_in_every_fleet_of_its_seed() -> None:
    small, large = (make_population(FleetSettings(devices=devices, silent=0.2)) for devices in (10, 100_000))

    for index in range(50):
        one, other = small.derive(index), large.derive(index)
        assert (one.silent, one.latency_s, one.fixed, one.pace, one.personality.name) == (
            other.silent, other.latency_s, other.fixed, other.pace, other.personality.name,
        )  # fmt: skip


def test_latencies_fill_their_range() -> None:
    population = make_population(FleetSettings(latency_ms=(5, 250)))

    latencies = sorted(population.derive(index).latency_s * 1000 for index in range(2000))

    assert 5 <= latencies[0] < 7
    assert 248 < latencies[-1] <= 250


def test_roles_and_sizes_are_mixed() -> None:
    population = make_population(FleetSettings(interfaces=(4, 24)))

    kinds = [population.derive(index).personality for index in range(1000)]

    assert {kind.role for kind in kinds} == {"router", "switch", "server"}
    assert len({kind.name for kind in kinds}) == 24
    assert 500 < sum(kind.role == "switch" for kind in kinds) < 700


def test_the_records_kept_are_bounded() -> None:
    population = make_population(FleetSettings())
    for index in range(KEPT + 100):
        population.at((0x7F010001 + index).to_bytes(4, "big"))

    assert len(population._kept) == KEPT


def moving_values(population: Population, index: int) -> dict[tuple[int, ...], Moving]:
    view = population.derive(index).personality.view
    return {oid: value for oid, value in view.values.items() if isinstance(value, Moving)}


def test_64_bit_counters_only_rise_between_reboots() -> None:
    population = make_population(FleetSettings())
    device = population.derive(3)
    start_cs = NOW_CS - population.moment(device, NOW_CS)[Quantity.UPTIME]
    counters = [value for value in moving_values(population, 3).values() if value.tag == 0x46]

    readings = [
        [counter.at(population.moment(device, start_cs + second * 100)) for counter in counters]
        for second in (0, 1, 60, 86_400, 100 * 86_400)
    ]

    assert counters
    for before, after in pairwise(readings):
        assert all(low <= high and len(low) == 10 for low, high in zip(before, after, strict=True))
    assert readings[0] != readings[1]


def test_traffic_keeps_to_the_speed_of_its_interface() -> None:
    population = make_population(FleetSettings(interfaces=(24, 24)))
    for index in range(50):
        device = population.derive(index)
        now, later = (population.moment(device, NOW_CS + seconds * 100) for seconds in (0, 60))
        values = device.personality.view.values
        for port in range(1, 25):
            counter = values[(1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 6, port)]
            speed = int.from_bytes(values[(1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 15, port)][2:], "big")
            octets = int.from_bytes(counter.at(later)[2:], "big") - int.from_bytes(counter.at(now)[2:], "big")
            assert 0 <= octets * 8 / 60 <= speed * 1e6


def test_a_32_bit_counter_is_the_low_half_of_its_64_bit_one() -> None:
    population = make_population(FleetSettings(interfaces=(4, 4)))
    device = population.derive(0)
    values = device.personality.view.values
    for hours in range(48):
        moment = population.moment(device, NOW_CS + hours * 360_000)
        wide = int.from_bytes(values[(1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 6, 2)].at(moment)[2:], "big")
        narrow = int.from_bytes(values[(1, 3, 6, 1, 2, 1, 2, 2, 1, 10, 2)].at(moment)[2:], "big")
        assert narrow == wide % 2**32


def test_a_reboot_starts_uptime_and_counters_again() -> None:
    population = make_population(FleetSettings(reboot_every_s=60))
    device = population.derive(5)
    moments = [population.moment(device, NOW_CS + second * 100) for second in range(120)]

    falls = [(a, b) for a, b in pairwise(moments) if b[Quantity.UPTIME] < a[Quantity.UPTIME]]

    assert len(falls) in (1, 2)
    for before, after in falls:
        assert after[Quantity.UPTIME] < 100
        assert after[Quantity.BOOTS] == before[Quantity.BOOTS] + 1
        assert after[Quantity.TRAFFIC] < before[Quantity.TRAFFIC]


def test_devices_do_not_reboot_all_at_once() -> None:
    population = make_population(FleetSettings(reboot_every_s=3600))

    uptimes = [population.moment(population.derive(index), NOW_CS)[Quantity.UPTIME] for index in range(400)]

    assert max(uptimes) - min(uptimes) > 0.9 * 360_000


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        (FleetSettings(silent=1.1), "--silent"),
        (FleetSettings(loss=-0.1), "--loss"),
        (FleetSettings(devices=0), "--devices"),
        (FleetSettings(devices=MAX_DEVICES + 1), "--devices"),
        (FleetSettings(latency_ms=(50, 5)), "--latency"),
        (FleetSettings(interfaces=(9, 1)), "--interfaces"),
        (FleetSettings(port=70_000), "--port"),
        (FleetSettings(reboot_every_s=0), "--reboot-every"),
        (FleetSettings(max_reply_bytes=100), "--max-reply"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: FleetSettings, where: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check(wrong)

    assert [fault.where for fault in refused.value.faults] == [where]
    assert "\n" not in str(refused.value)
