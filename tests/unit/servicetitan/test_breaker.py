"""When the breaker opens, who probes, and how it closes."""

import pytest

from app.servicetitan.breaker import (
    ENOUGH_LANES,
    FIRST_PAUSE,
    LATEST_CALLS,
    LATEST_LANES,
    LONGEST_PAUSE,
    QUIET_SECONDS,
    Breaker,
    State,
    Trouble,
)


def call(breaker: Breaker, now: float, *, fails: bool, lane: str = "") -> None:
    """One call that is answered at once; of a lane of its own unless one is named."""
    end(breaker, breaker.call_begins(now), now, fails=fails, lane=lane)


def end(breaker: Breaker, number: int, now: float, *, fails: bool, lane: str = "") -> None:
    breaker.call_ends(number)
    if fails:
        breaker.call_failed(number, lane or f"b{number}", now, "503")
    else:
        breaker.call_succeeded(number, lane or f"b{number}", now)


def opened_by_outage() -> Breaker:
    breaker = Breaker()
    for _ in range(10):
        call(breaker, 0.0, fails=True)
    return breaker


def opened_by_refusals() -> Breaker:
    breaker = Breaker()
    for lane in range(ENOUGH_LANES):
        breaker.lane_ended(f"b{lane}", 0.0, refused=True, why="403")
    return breaker


def state(breaker: Breaker, now: float = 0.0) -> State:
    return breaker.snapshot(now).state


def test_it_is_closed_at_first() -> None:
    assert state(Breaker()) is State.CLOSED


def test_most_of_many_calls_failing_opens_it_at_once() -> None:
    breaker = opened_by_outage()
    seen = breaker.snapshot(0.0)
    assert (seen.state, seen.trouble, seen.why) == (State.OPEN, Trouble.OUTAGE, "503")
    assert seen.open_for == FIRST_PAUSE


def test_one_call_in_five_failing_never_opens_it() -> None:
    breaker = Breaker()
    for number in range(1000):
        call(breaker, number / 100, fails=number % 5 == 0)
    assert state(breaker) is State.CLOSED


@pytest.mark.parametrize("before", [0.0, 1000.0])
def test_failures_that_are_answered_before_the_successes_that_began_with_them_do_not_open_it(
    before: float,
) -> None:
    breaker = Breaker()
    for burst in range(3):
        now = before + burst
        begun = [breaker.call_begins(now) for _ in range(50)]
        for number in begun[::5]:
            end(breaker, number, now + 0.001, fails=True)
        for number in begun:
            if number not in begun[::5]:
                end(breaker, number, now + 0.1, fails=False)
    assert state(breaker) is State.CLOSED


def test_calls_that_hang_do_not_hide_an_outage() -> None:
    breaker = Breaker()
    for _ in range(5):
        breaker.call_begins(0.0)
    breaker.call_begins(9.5)
    for _ in range(20):
        call(breaker, 10.0, fails=True)
    assert state(breaker) is State.CLOSED
    call(breaker, 9.5 + QUIET_SECONDS, fails=True)
    assert state(breaker) is State.OPEN


def test_a_call_that_was_cut_short_hides_nothing() -> None:
    breaker = Breaker()
    breaker.call_ends(breaker.call_begins(0.0))
    for _ in range(10):
        call(breaker, 0.0, fails=True)
    assert state(breaker) is State.OPEN


def test_what_is_remembered_has_an_end() -> None:
    breaker = Breaker()
    breaker.call_begins(0.0)
    for _ in range(10_000):
        call(breaker, 1.0, fails=False)
    assert len(breaker._calls) <= 2_000
    for _ in range(LATEST_CALLS):
        call(breaker, QUIET_SECONDS, fails=True)
    assert state(breaker) is State.OPEN


def test_however_often_one_lane_fails_it_opens_nothing() -> None:
    breaker = Breaker()
    for number in range(1000):
        call(breaker, float(number), fails=True, lane="b1")
    assert state(breaker) is State.CLOSED


def test_no_answer_to_the_cheapest_read_opens_it() -> None:
    breaker = Breaker()
    breaker.unreachable(5.0, "no answer")
    seen = breaker.snapshot(5.0)
    assert (seen.trouble, seen.why, seen.open_for) == (Trouble.OUTAGE, "no answer", FIRST_PAUSE)


def test_a_success_is_recent_for_a_while() -> None:
    breaker = Breaker()
    assert not breaker.has_just_succeeded(0.0)
    call(breaker, 10.0, fails=False)
    assert breaker.has_just_succeeded(10.0 + QUIET_SECONDS / 2)
    assert not breaker.has_just_succeeded(10.0 + QUIET_SECONDS)


def test_a_probe_that_fails_alone_closes_it_and_one_among_many_does_not() -> None:
    alone = Breaker()
    alone.unreachable(0.0, "no answer")
    assert alone.take_probe(FIRST_PAUSE)
    alone.probe_failed_alone(FIRST_PAUSE, "500")
    assert state(alone) is State.CLOSED
    many = opened_by_outage()
    assert many.take_probe(FIRST_PAUSE)
    many.probe_failed_alone(FIRST_PAUSE, "500")
    assert many.snapshot(FIRST_PAUSE).open_for == 2 * FIRST_PAUSE


def test_a_wait_that_is_stated_while_it_is_open_outlasts_the_pause() -> None:
    breaker = opened_by_outage()
    breaker.take_probe(FIRST_PAUSE)
    breaker.no_token(Trouble.OUTAGE, FIRST_PAUSE, "too many", wait=60.0)
    breaker.probe_failed(FIRST_PAUSE, "too many")
    assert breaker.snapshot(FIRST_PAUSE).open_for == 60.0


def test_one_at_a_time_probes_after_the_pause() -> None:
    breaker = opened_by_outage()
    assert not breaker.take_probe(FIRST_PAUSE / 2)
    assert breaker.take_probe(FIRST_PAUSE)
    assert state(breaker) is State.HALF_OPEN
    assert not breaker.take_probe(FIRST_PAUSE + 100)


def test_the_pause_doubles_up_to_the_longest() -> None:
    breaker = opened_by_outage()
    now, pauses = FIRST_PAUSE, []
    for _ in range(8):
        assert breaker.take_probe(now)
        breaker.probe_failed(now, "still")
        pauses.append(breaker.snapshot(now).open_for)
        now += pauses[-1]
    assert pauses[:3] == pytest.approx([2 * FIRST_PAUSE, 4 * FIRST_PAUSE, 8 * FIRST_PAUSE])
    assert pauses[-1] == pytest.approx(LONGEST_PAUSE)


def test_a_probe_that_comes_through_closes_it_and_forgets() -> None:
    breaker = opened_by_outage()
    breaker.take_probe(FIRST_PAUSE)
    breaker.probe_succeeded()
    assert state(breaker) is State.CLOSED
    call(breaker, FIRST_PAUSE, fails=True)
    assert state(breaker) is State.CLOSED


def test_an_abandoned_probe_lets_another_go_at_once() -> None:
    breaker = opened_by_outage()
    breaker.take_probe(FIRST_PAUSE)
    breaker.probe_abandoned()
    assert breaker.take_probe(FIRST_PAUSE)


def test_a_token_that_is_not_to_be_had_opens_it_at_once() -> None:
    breaker = Breaker()
    breaker.no_token(Trouble.AUTHENTICATION, 0.0, "invalid_client")
    assert breaker.snapshot(0.0).trouble is Trouble.AUTHENTICATION


def test_the_wait_that_the_token_endpoint_states_is_kept() -> None:
    breaker = Breaker()
    breaker.no_token(Trouble.OUTAGE, 0.0, "too many", wait=40.0)
    assert not breaker.take_probe(39.0)
    assert breaker.take_probe(40.0)


@pytest.mark.parametrize("wait", [0.0, FIRST_PAUSE / 2])
def test_a_stated_wait_never_shortens_the_pauses(wait: float) -> None:
    breaker = Breaker()
    breaker.no_token(Trouble.OUTAGE, 0.0, "too many", wait=wait)
    assert breaker.snapshot(0.0).open_for == FIRST_PAUSE
    assert breaker.take_probe(FIRST_PAUSE)
    breaker.no_token(Trouble.OUTAGE, FIRST_PAUSE, "too many", wait=wait)
    breaker.probe_failed(FIRST_PAUSE, "too many")
    assert breaker.snapshot(FIRST_PAUSE).open_for == 2 * FIRST_PAUSE


def test_most_lanes_refused_open_it() -> None:
    breaker = Breaker()
    for lane in range(ENOUGH_LANES):
        assert state(breaker) is State.CLOSED
        breaker.lane_ended(f"b{lane}", 0.0, refused=True, why="403")
    seen = breaker.snapshot(0.0)
    assert (seen.trouble, seen.why) == (Trouble.REFUSALS, "403")


def test_refusals_outlast_a_token_that_is_not_to_be_had() -> None:
    breaker = opened_by_refusals()
    for trouble in (Trouble.AUTHENTICATION, Trouble.OUTAGE):
        breaker.no_token(trouble, 0.0, "no token", wait=30.0)
        seen = breaker.snapshot(0.0)
        assert (seen.trouble, seen.why, seen.open_for) == (Trouble.REFUSALS, "no token", 30.0)


def test_an_answer_ends_every_trouble_but_refusals() -> None:
    for breaker, ends in ((opened_by_outage(), True), (opened_by_refusals(), False)):
        assert breaker.take_probe(FIRST_PAUSE)
        breaker.probe_answered()
        assert (breaker.trouble is None) == ends
    assert breaker.take_probe(FIRST_PAUSE), "another one may probe at once"
    breaker.probe_succeeded()
    assert breaker.trouble is None


def test_one_lane_refused_often_does_not_open_it() -> None:
    breaker = Breaker()
    for _ in range(100):
        breaker.lane_ended("b1", 0.0, refused=True, why="400")
    assert state(breaker) is State.CLOSED


def test_refused_lanes_among_as_many_good_ones_do_not_open_it() -> None:
    breaker = Breaker()
    for lane in range(100):
        breaker.lane_ended(f"b{lane}", 0.0, refused=bool(lane % 2), why="400")
    assert state(breaker) is State.CLOSED


def test_only_the_latest_lanes_count() -> None:
    breaker = Breaker()
    for lane in range(100):
        breaker.lane_ended(f"good {lane}", 0.0, refused=False, why="")
    for lane in range(ENOUGH_LANES + 1):
        breaker.lane_ended(f"bad {lane}", 0.0, refused=True, why="400")
    assert state(breaker) is State.OPEN


def test_a_lane_that_ends_again_is_among_the_latest() -> None:
    breaker = Breaker()
    breaker.lane_ended("first", 0.0, refused=True, why="400")
    for lane in range(LATEST_LANES - 1):
        breaker.lane_ended(f"good {lane}", 0.0, refused=False, why="")
    breaker.lane_ended("first", 0.0, refused=True, why="400")
    for lane in range(LATEST_LANES // 2):
        breaker.lane_ended(f"bad {lane}", 0.0, refused=True, why="400")
    assert state(breaker) is State.OPEN


def test_each_opening_and_probe_result_is_announced() -> None:
    changes: list[State] = []
    breaker = Breaker(changed=lambda: changes.append(breaker.snapshot(0.0).state))
    breaker.no_token(Trouble.OUTAGE, 0.0, "down")
    breaker.take_probe(FIRST_PAUSE)
    breaker.probe_failed(FIRST_PAUSE, "down")
    breaker.take_probe(100.0)
    breaker.probe_succeeded()
    assert changes == [State.OPEN, State.OPEN, State.CLOSED]
