"""The state of a device, poll by poll."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streampoll.analysis.port import Above
from streampoll.analysis.rule import StateRules
from streampoll.analysis.standing import DeviceState, Look, Standing, stand
from streampoll.model import Status

RULES = StateRules(down_after=3, up_after=1, flap_changes=4, flap_window_s=3600)
WORDS = {"o": Status.OK, "p": Status.PARTIAL, "t": Status.TIMEOUT, "u": Status.UNREACHABLE, "x": Status.EXPIRED,
         "a": Status.AUTH, "c": Status.CONFIG}  # fmt: skip


def after(polls: str, rules: StateRules = RULES, lag_s: float = 0.0) -> DeviceState:
    state = DeviceState()
    for number, letter in enumerate(polls):
        look = Look("j", 60 * (number + 1), 60, WORDS[letter], lag_s, None)
        state = DeviceState.unpack(stand(state, look, rules).packable())
    return state


def behind(polls: str, parents: str) -> list[Standing]:
    """Return how a device stood after each poll: `parents` is what was known then of its parent's poll before.

    `o`: it answered; `t`: it did not; `.`: nothing was heard of it yet.
    """
    state, above, stood = DeviceState(), Above(), []
    for number, (letter, parent) in enumerate(zip(polls, parents, strict=True)):
        slot = 60 * (number + 1)
        above = {"o": Above(False, slot - 10), "t": Above(True, above.answered), ".": above}[parent]
        state = DeviceState.unpack(stand(state, Look("j", slot, 60, WORDS[letter], 0.0, above), RULES).packable())
        stood.append(state.standing)
    return stood


@pytest.mark.parametrize(
    ("polls", "standing"),
    [
        ("", Standing.UNKNOWN),
        ("o", Standing.UP),
        ("p", Standing.DEGRADED),
        ("ot", Standing.DEGRADED),
        ("ott", Standing.DEGRADED),
        ("ottt", Standing.DOWN),
        ("ottut", Standing.DOWN),
        ("otott", Standing.DEGRADED),
        ("ottto", Standing.UP),
        ("otttx", Standing.DOWN),
        ("ottxct", Standing.DOWN),
        ("ttxxxxxt", Standing.DOWN),  # polls that say nothing of it neither end a run of others
        ("ttt", Standing.DOWN),
        ("xxx", Standing.UNKNOWN),
        ("oa", Standing.DEGRADED),
        ("aaaa", Standing.DEGRADED),
    ],
)
def test_how_a_device_stands_after_these_polls(polls: str, standing: Standing) -> None:
    assert after(polls).standing is standing


def test_a_device_that_is_to_answer_twice_stays_down_at_the_first_answer() -> None:
    rules = StateRules(down_after=2, up_after=2)

    assert after("otto", rules).standing is Standing.DOWN
    assert after("ottoo", rules).standing is Standing.UP


@pytest.mark.parametrize(
    ("polls", "parents", "letters"),
    [
        ("otttt", "ooooo", "uddDD"),  # its parent answers: it is down by itself
        ("otttt", "ottto", "uddUU"),  # its parent fails, and one answer of it does not make the silence the device's
        ("otttttt", "otttooo", "uddUUUD"),  # as many polls as it takes, after the parent is back
        ("ottto", "ottto", "uddUu"),
        ("otttttt", "oooottt", "uddDUUU"),  # down by itself, and then the parent went
        ("ottttttt", "o.......", "udddddDD"),  # nothing is heard of the parent: as many polls again
        ("otttttt", "o..tttt", "uddUUUU"),  # heard of late
        ("otttt", "o..oo", "uddDD"),
        ("ottototttt", "oooooooooo", "uddududdDD"),
    ],
)
def test_silence_behind_a_parent_that_fails_is_the_parents(polls: str, parents: str, letters: str) -> None:
    words = {"u": Standing.UP, "d": Standing.DEGRADED, "D": Standing.DOWN, "U": Standing.UNREACHABLE}

    assert behind(polls, parents) == [words[letter] for letter in letters]


@given(st.text("opt", min_size=1, max_size=30), st.text("ot.", min_size=30, max_size=30))
def test_nobody_is_down_by_himself_whose_parent_failed_at_each_poll(polls: str, parents: str) -> None:
    assert Standing.DOWN not in behind(polls, "t" * len(polls))
    assert Standing.UNREACHABLE not in behind(polls, parents[: len(polls)].replace("t", "o"))


def test_a_starved_poller_calls_no_device_down() -> None:
    assert after("otttttt", lag_s=0.6).standing is Standing.UP
    assert after("o", lag_s=0.6).standing is Standing.UP


def test_a_device_is_down_only_when_all_its_jobs_say_so() -> None:
    state = DeviceState()
    for number in range(6):
        state = stand(state, Look("ssh", 60 * number + 60, 60, Status.TIMEOUT, 0.0, None), RULES)
        state = stand(state, Look("snmp", 60 * number + 61, 60, Status.OK, 0.0, None), RULES)

    assert state.standing is Standing.DEGRADED


def test_a_job_that_polls_no_more_holds_nobody_up() -> None:
    state = stand(DeviceState(), Look("old", 60, 60, Status.OK, 0.0, None), RULES)
    for number in range(5):
        state = stand(state, Look("new", 120 + 60 * number, 60, Status.TIMEOUT, 0.0, None), RULES)

    assert state.standing is Standing.DOWN


def test_a_device_that_comes_and_goes_flaps_until_it_has_been_quiet() -> None:
    assert not after("ottto" * 1).flapping
    assert after("ottto" * 2).flapping
    assert after("ottto" * 2 + "o" * 20).flapping
    assert not after("ottto" * 2 + "o" * 70).flapping


@given(st.text("optuxac", max_size=40))
@example("ttxxxt")
def test_a_device_that_answers_is_never_down_and_one_that_never_does_is(polls: str) -> None:
    state = after(polls)
    said = [letter for letter in polls if letter in "optua"]

    if said and said[-1] in "opa":
        assert state.standing in (Standing.UP, Standing.DEGRADED)
    if len(said) >= 3 and set(said[-3:]) <= {"t", "u"}:
        assert state.standing is Standing.DOWN
