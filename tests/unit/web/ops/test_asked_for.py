"""The search box: what is understood, and what is said of the rest."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.booking.reasons import Reason
from app.booking.record import State
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
        ("order:7", Wanted(text="order:7")),
    ],
)
def test_it_is_understood(text: str, wanted: Wanted) -> None:
    asked = read(text, NOW)
    assert (asked.wanted, asked.wrong) == (wanted, ())


@pytest.mark.parametrize(
    "text", ["state:lost", "reason:", "reason:un", "reason:x", "zip:ab", "slot:4h", "slot:<"]
)
def test_what_is_wrong_is_named_with_what_is_allowed(text: str) -> None:
    (wrong,) = read(text, NOW).wrong
    assert wrong.startswith(f"{text}: ")
