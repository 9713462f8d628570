"""The search box: what is understood, and what is said of the rest."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.booking.reasons import Reason
from app.booking.record import State
from app.view.columns import SHOWN
from app.view.finding import Wanted
from app.web.ops.asked_for import read
from tests.support.rows import NOW


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", Wanted()),
        ("Ada  Lovelace", Wanted(text="Ada Lovelace")),
        ("state:held", Wanted(state=State.HELD)),
        ("STATE:Held zip:850", Wanted(state=State.HELD, zip="850")),
        ("reason:area", Wanted(reason=Reason.AREA_NOT_SUPPORTED)),
        ("reason:refused", Wanted(reason=Reason.REFUSED)),
        ("slot:<4h", Wanted(before=NOW + timedelta(hours=4))),
        ("slot:>2d ada", Wanted(after=NOW + timedelta(days=2), text="ada")),
        ("state:cancelled", Wanted(shown="cancelled")),
        ("state:in-progress zip:850", Wanted(shown="in progress", zip="850")),
        ("state:in_flight", Wanted(shown="in flight")),
        ("state:customer", Wanted(shown="customer")),
        ("https://x", Wanted(text="https://x")),
    ],
)
def test_it_is_understood(text: str, wanted: Wanted) -> None:
    asked = read(text, NOW)
    assert (asked.wanted, asked.wrong) == (wanted, ())


@pytest.mark.parametrize("word", sorted(SHOWN))
def test_every_word_of_a_badge_is_one_to_search_by(word: str) -> None:
    asked = read(f"state:{word.replace(' ', '-')}", NOW)
    assert asked.wrong == ()
    assert word in {asked.wanted.shown, asked.wanted.state}


def test_what_looks_like_a_qualifier_and_is_none_is_told_and_searched_for() -> None:
    asked = read("order:7 status:held", NOW)
    assert asked.wanted == Wanted(text="order:7 status:held")
    assert asked.unknown == (
        "There is no order: to search by; there are state:, reason:, zip:, slot:.",
        "There is no status: to search by; there are state:, reason:, zip:, slot:.",
    )


@pytest.mark.parametrize(
    "text", ["state:lost", "reason:", "reason:un", "reason:x", "zip:ab", "slot:4h", "slot:<"]
)
def test_what_is_wrong_is_named_with_what_is_allowed(text: str) -> None:
    (wrong,) = read(text, NOW).wrong
    assert wrong.startswith(f"{text}: ")
