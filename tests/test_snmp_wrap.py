"""32-bit counters that may wrap unseen: how soon, and who is told."""

import logging
from pathlib import Path

import pytest

from streampoll.model import Outcome, Status
from streampoll.pollers.wraps import WrapWarnings
from streampoll.snmp import ber
from streampoll.snmp.plan import Oid
from tests.snmp_model_support import UPTIME, ModelAgent
from tests.test_snmp_tables import collect, plan

IF_ENTRY, IF_X_ENTRY = (1, 3, 6, 1, 2, 1, 2, 2, 1), (1, 3, 6, 1, 2, 1, 31, 1, 1, 1)
PROFILE = """
    [tables.i.columns]
    name = { oid = "1.3.6.1.2.1.2.2.1.2", type = "text" }
    octets = { oid = "1.3.6.1.2.1.31.1.1.1.6", type = "counter", fallback = "1.3.6.1.2.1.2.2.1.10" }
    speed = { oid = "1.3.6.1.2.1.2.2.1.5", type = "integer" }
    mbits = { oid = "1.3.6.1.2.1.31.1.1.1.15", type = "integer" }
"""


def interfaces(*, narrow: dict[int, int], wide: dict[int, int], mbits: dict[int, int]) -> ModelAgent:
    """Interfaces by index with their speeds in bit/s; those in `narrow` have 32-bit counters only."""
    held: dict[Oid, tuple[int, ber.Wire]] = {UPTIME: (ber.TIME_TICKS, 1)}
    for index, speed in (narrow | wide).items():
        held[(*IF_ENTRY, 2, index)] = ber.OCTET_STRING, b"eth%d" % index
        held[(*IF_ENTRY, 5, index)] = ber.GAUGE32, speed
    held |= {(*IF_ENTRY, 10, index): (ber.COUNTER32, 7) for index in narrow}
    held |= {(*IF_X_ENTRY, 6, index): (ber.COUNTER64, 7) for index in wide}
    return ModelAgent(held | {(*IF_X_ENTRY, 15, index): (ber.GAUGE32, speed) for index, speed in mbits.items()})


@pytest.mark.parametrize(
    ("narrow", "wide", "mbits", "half_s"),
    [
        ({1: 1_000_000_000}, {}, {}, 17.18),
        ({1: 100_000_000, 2: 10_000_000}, {3: 4294967295}, {}, 171.8),  # the fast one has 64 bits
        ({1: 4294967295}, {}, {1: 10_000}, 1.718),  # ifSpeed ends where ifHighSpeed goes on
        ({1: 0}, {}, {}, 0.0),
        ({}, {1: 1_000_000_000}, {}, 0.0),
    ],
)
async def test_half_the_wrap_time_is_that_of_the_fastest_32_bit_interface(
    tmp_path: Path, narrow: dict[int, int], wide: dict[int, int], mbits: dict[int, int], half_s: float
) -> None:
    outcome = await collect(interfaces(narrow=narrow, wide=wide, mbits=mbits), plan(tmp_path, PROFILE))
    assert outcome.half_wrap_s == pytest.approx(half_s, rel=0.001)


@pytest.mark.parametrize("tail", ["", '[tables.i.where]\nname = "eth2"'])
async def test_rows_that_are_left_out_do_not_count(tmp_path: Path, tail: str) -> None:
    model = interfaces(narrow={1: 1_000_000_000, 2: 100_000_000}, wide={}, mbits={})
    outcome = await collect(model, plan(tmp_path, PROFILE + tail))
    assert outcome.half_wrap_s == pytest.approx(171.8 if tail else 17.18, rel=0.001)


def test_a_device_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    warnings = WrapWarnings()
    with caplog.at_level(logging.WARNING):
        for device, half_s in (("slow", 171.8), ("fast", 17.18), ("fast", 17.18), ("wide", 0.0)):
            warnings.note(device, Outcome(Status.OK, half_wrap_s=half_s), 60)
    (line,) = caplog.messages
    assert line.startswith("device fast: its 32-bit octet counters can wrap in 34 s")
    assert "polled every 60 s; poll it every 17 s" in line
