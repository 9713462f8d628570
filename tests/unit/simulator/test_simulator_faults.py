from random import Random

import pytest
from pydantic import ValidationError

from app.simulator.faults import EVERYTHING, FaultKind, FaultRequest, Faults, Window, random_failures

JOBS = "/jpm/v2/tenant/1/jobs"
TOKEN = "/connect/token"


def faults(*requests: FaultRequest, now: float = 0) -> Faults:
    made = Faults(Random(3))
    for request in requests:
        made.add(request, now)
    return made


def test_a_count_strikes_the_first_calls_only() -> None:
    rules = faults(FaultRequest(kind=FaultKind.DROP, count=2))
    assert [rules.strike("GET", JOBS, 0) is not None for _ in range(4)] == [True, True, False, False]


def test_a_window_is_counted_from_when_it_was_set() -> None:
    rules = faults(FaultRequest(kind=FaultKind.DROP, window=Window(start=5, end=10)), now=100)
    hits = [rules.strike("GET", JOBS, now) is not None for now in (104.9, 105, 109.9, 110)]
    assert hits == [False, True, True, False]


@pytest.mark.parametrize(
    ("method", "glob", "strikes"),
    [
        ("POST", "*/jobs", True),
        ("GET", "*/jobs", False),
        ("POST", "*/jobs/*/cancel", False),
        ("*", "/jpm/*", True),
        ("POST", "/crm/*", False),
    ],
)
def test_a_rule_strikes_the_calls_it_names(method: str, glob: str, *, strikes: bool) -> None:
    rules = faults(FaultRequest(kind=FaultKind.DROP, method=method, path=glob))
    assert (rules.strike("POST", JOBS, 0) is not None) is strikes


def test_the_token_is_struck_only_when_named() -> None:
    assert faults(FaultRequest(kind=FaultKind.DROP)).strike("POST", TOKEN, 0) is None
    assert faults(FaultRequest(kind=FaultKind.DROP, path=EVERYTHING)).strike("POST", TOKEN, 0) is not None


def test_a_rate_is_a_share_and_a_seed_repeats_it() -> None:
    def run() -> list[bool]:
        rules = faults(FaultRequest(kind=FaultKind.DROP, rate=0.2))
        return [rules.strike("GET", JOBS, 0) is not None for _ in range(2_000)]

    assert run() == run()
    assert 300 < sum(run()) < 500


def test_the_first_rule_that_matches_strikes() -> None:
    rules = faults(FaultRequest(kind=FaultKind.DROP, count=1), FaultRequest(kind=FaultKind.SLOW))
    kinds = [struck.kind for _ in range(2) if (struck := rules.strike("GET", JOBS, 0))]
    assert kinds == [FaultKind.DROP, FaultKind.SLOW]


def test_rules_are_taken_back_one_by_one_or_all() -> None:
    rules = faults(FaultRequest(kind=FaultKind.DROP), FaultRequest(kind=FaultKind.SLOW))
    rules.clear(1)
    assert [rule.number for rule in rules.rules] == [2]
    rules.clear()
    assert not rules.rules


def test_spent_rules_are_forgotten() -> None:
    rules = faults(FaultRequest(kind=FaultKind.DROP, window=Window(end=1)))
    rules.add(FaultRequest(kind=FaultKind.SLOW), 2)
    assert [rule.request.kind for rule in rules.rules] == [FaultKind.SLOW]


def test_random_failures_are_the_rate_they_say() -> None:
    rules = faults(*random_failures(0.05))
    struck = [rules.strike("GET", JOBS, 0) for _ in range(20_000)]
    kinds = [fault.kind for fault in struck if fault]
    assert 800 < len(kinds) < 1_200
    assert set(kinds) == {FaultKind.ERROR_BEFORE, FaultKind.ERROR_AFTER}
    assert random_failures(0) == ()


@pytest.mark.parametrize(
    "changes", [{"rate": 2}, {"kind": "no"}, {"unknown": 1}, {"status": 404}, {"count": 0}]
)
def test_a_rule_that_means_nothing_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        FaultRequest.model_validate({"kind": "drop", **changes})
