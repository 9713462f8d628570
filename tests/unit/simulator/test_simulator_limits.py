from random import Random

from hypothesis import given
from hypothesis import strategies as st

from app.simulator.journal import KEPT_CALLS, Journal
from app.simulator.limits import TOKEN_SECONDS, Throttle, Tokens
from tests.support.simulated import Clock

# Binary fractions: sums and differences of them are exact, so a second has one length everywhere.
GAPS = st.integers(0, 307).map(lambda part: part / 1024)


@given(st.lists(GAPS, max_size=200), st.integers(1, 10))
def test_no_second_has_more_calls_than_the_limit(gaps: list[float], limit: int) -> None:
    throttle, now, passed = Throttle(limit), 0.0, []
    for gap in gaps:
        now += gap
        wait = throttle.wait("key", now)
        if wait is None:
            passed.append(now)
        else:
            assert 0 < wait <= 1
            assert throttle.wait("key", now + wait * 0.999) is not None or wait < 1e-6
    for start in passed:
        assert sum(start <= moment < start + 1 for moment in passed) <= limit


def test_keys_have_their_own_limit_and_zero_is_none() -> None:
    throttle = Throttle(1)
    assert [throttle.wait(key, 0) for key in ("a", "b")] == [None, None]
    assert throttle.wait("a", 0.5) == 0.5
    assert all(Throttle(0).wait("a", 0) is None for _ in range(1_000))


def test_a_token_is_good_until_it_expires() -> None:
    tokens = Tokens(Random(1))
    token = tokens.issue("cid.test", 100, 1_700_000_000)
    assert token.expires_in == TOKEN_SECONDS
    assert token.access_token.count(".") == 2
    assert tokens.is_good(token.access_token, 100 + TOKEN_SECONDS - 1)
    assert not tokens.is_good(token.access_token, 100 + TOKEN_SECONDS)
    assert not tokens.is_good("made-up", 100)
    assert not tokens.is_good("", 100)


def test_tokens_are_revoked_together() -> None:
    tokens = Tokens(Random(1))
    issued = [tokens.issue("cid.test", 0, 0).access_token for _ in range(3)]
    assert len(set(issued)) == 3
    assert tokens.revoke() == 3
    assert not any(tokens.is_good(token, 1) for token in issued)


def test_the_journal_counts_what_it_no_longer_keeps() -> None:
    journal, at = Journal(), Clock()()
    for number in range(KEPT_CALLS + 10):
        record = journal.open(at, number / 128, "GET", "/jobs", "/jobs")
        journal.close(record, 429 if number % 2 else None, None, 1)
    assert journal.total == KEPT_CALLS + 10
    assert len(journal.calls) == KEPT_CALLS
    assert journal.by_status == {"429": KEPT_CALLS // 2 + 5, "no answer": KEPT_CALLS // 2 + 5}
    assert journal.max_in_a_second == 128


def test_calls_are_counted_per_second() -> None:
    journal, at = Journal(), Clock()()
    for now in (10.1, 10.2, 12.5, 12.6, 12.7):
        journal.open(at, now, "GET", "/jobs", "/jobs")
    assert journal.per_second(13, 4) == [2, 0, 3, 0]
    assert journal.in_last_second(13.0) == 3
    assert journal.in_last_second(13.55) == 2
    assert journal.max_in_a_second == 3
