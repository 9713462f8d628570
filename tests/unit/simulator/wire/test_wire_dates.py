from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.simulator.wire.dates import parse_instant, print_instant

MOMENTS = st.datetimes(timezones=st.just(UTC))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-03-21T12:11:54.2435119Z", datetime(2024, 3, 21, 12, 11, 54, 243511, tzinfo=UTC)),
        ("2024-03-21T12:11:54.535Z", datetime(2024, 3, 21, 12, 11, 54, 535000, tzinfo=UTC)),
        ("2024-03-21T12:11:54.22Z", datetime(2024, 3, 21, 12, 11, 54, 220000, tzinfo=UTC)),
        ("2024-03-21T12:11:54Z", datetime(2024, 3, 21, 12, 11, 54, tzinfo=UTC)),
        ("2024-03-21T05:11:54-07:00", datetime(2024, 3, 21, 12, 11, 54, tzinfo=UTC)),
        ("2024-03-21T12:11:54", datetime(2024, 3, 21, 12, 11, 54, tzinfo=UTC)),
        ("2020-01-01", datetime(2020, 1, 1, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_every_form_seen_is_read(text: str, moment: datetime) -> None:
    assert parse_instant(text) == moment
    assert parse_instant(text).tzinfo is UTC


@pytest.mark.parametrize("value", ["", "soon", "2024-13-01T00:00:00Z", 5, None, "0001-01-01T00:00:00+05:00"])
def test_anything_else_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="date"):
        parse_instant(value)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00Z"),
        (datetime(2024, 3, 21, 12, 0, 0, 220000, tzinfo=UTC), "2024-03-21T12:00:00.22Z"),
        (datetime(2024, 3, 21, 12, 0, 0, 1, tzinfo=UTC), "2024-03-21T12:00:00.000001Z"),
        (datetime(2024, 3, 21, 5, tzinfo=timezone(timedelta(hours=-7))), "2024-03-21T12:00:00Z"),
    ],
)
def test_trailing_zeros_are_cut(moment: datetime, text: str) -> None:
    assert print_instant(moment) == text


@given(MOMENTS)
def test_what_is_printed_is_read_back(moment: datetime) -> None:
    assert parse_instant(print_instant(moment)) == moment
    assert parse_instant(print_instant(moment, seven_digits=True)) == moment


@given(MOMENTS)
def test_seven_digits_are_never_more(moment: datetime) -> None:
    fraction = print_instant(moment, seven_digits=True).removesuffix("Z").partition(".")[2]
    assert len(fraction) <= 7
    assert not fraction.endswith("0")
