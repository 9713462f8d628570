"""Which events a booking has seen (rule 7): bounded, and readable for ever."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.booking.identity import (
    DIGEST_LENGTH,
    KEPT,
    NOTHING_SEEN,
    Identity,
    Progress,
    all_seen,
    forget,
    look_up,
    mark,
    mark_before,
)
from app.booking.reasons import Reason

BECAME: st.SearchStrategy[Progress | Reason] = st.sampled_from([*Progress, *Reason])
DIGESTS = st.integers(0, 30).map(lambda number: Identity(source="s", id=str(number)).digest())


def test_a_digest_is_short_and_the_same_for_ever() -> None:
    digest = Identity(source="/booking-system", id="e0").digest()

    assert digest == "SM0Kmo4dI61j"
    assert len(digest) == DIGEST_LENGTH


def test_source_and_id_do_not_run_together() -> None:
    assert Identity(source="ab", id="c").digest() != Identity(source="a", id="bc").digest()


def test_what_was_never_seen_is_nothing() -> None:
    assert look_up(NOTHING_SEEN, "abcdefghijkl") is None


def test_a_digest_is_found_only_where_an_entry_begins() -> None:
    seen = mark(mark(NOTHING_SEEN, "aaaaaaaaaaaa", Progress.WORKED), "bbbbbbbbbbbb", Progress.WORKED)

    assert look_up(seen, seen[1 : 1 + DIGEST_LENGTH]) is None


@pytest.mark.parametrize("became", [*Progress, *Reason])
def test_everything_that_can_become_of_an_event_is_kept(became: Progress | Reason) -> None:
    assert look_up(mark(NOTHING_SEEN, "abcdefghijkl", became), "abcdefghijkl") is became


def test_what_was_on_its_way_when_an_event_came_is_set_at_once() -> None:
    seen = mark(NOTHING_SEEN, "aaaaaaaaaaaa", Progress.ON_ITS_WAY)
    seen = mark(seen, "bbbbbbbbbbbb", Reason.REFUSED)
    seen = mark(seen, "cccccccccccc", Progress.ON_ITS_WAY)
    seen = mark(seen, "dddddddddddd", Progress.ON_ITS_WAY)

    assert all_seen(mark_before(seen, "cccccccccccc", Progress.WORKED)) == [
        ("aaaaaaaaaaaa", Progress.WORKED),
        ("bbbbbbbbbbbb", Reason.REFUSED),
        ("cccccccccccc", Progress.ON_ITS_WAY),
        ("dddddddddddd", Progress.ON_ITS_WAY),
    ]


def test_nothing_that_is_still_known_came_before_an_event_seen_long_ago() -> None:
    seen = mark(NOTHING_SEEN, "aaaaaaaaaaaa", Progress.ON_ITS_WAY)

    assert mark_before(seen, "long ago....", Progress.WORKED) == seen


def test_what_is_forgotten_and_seen_again_comes_last() -> None:
    a, b = ("a" * 12, "b" * 12)
    seen = mark(mark(NOTHING_SEEN, a, Reason.INVALID), b, Progress.ON_ITS_WAY)

    assert forget(seen, "c" * 12) == seen
    assert look_up(forget(seen, a), a) is None
    again = mark(forget(seen, a), a, Progress.WORKED)

    assert all_seen(again) == [(b, Progress.ON_ITS_WAY), (a, Progress.WORKED)]


def test_only_the_last_thousand_are_kept() -> None:
    seen = NOTHING_SEEN
    for number in range(KEPT + 5):
        seen = mark(seen, f"{number:012}", Progress.WORKED)

    assert len(all_seen(seen)) == KEPT
    assert look_up(seen, f"{4:012}") is None
    assert look_up(seen, f"{5:012}") is Progress.WORKED


@given(st.lists(st.tuples(DIGESTS, BECAME), max_size=60))
def test_the_last_mark_of_each_event_is_what_is_found(marks: list[tuple[str, Progress | Reason]]) -> None:
    seen = NOTHING_SEEN
    for digest, became in marks:
        seen = mark(seen, digest, became)

    assert dict(all_seen(seen)) == dict(marks)
    assert all(look_up(seen, digest) is became for digest, became in dict(marks).items())
