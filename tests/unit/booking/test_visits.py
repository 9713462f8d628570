"""When a visit is (contract section 2)."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.booking.visits import appointment, window

PHOENIX = ZoneInfo("America/Phoenix")
NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("slot", "hours"),
    [
        ("9:00 AM - 11:00 AM", (9, 11)),
        ("12:00 PM - 1:00 PM", (12, 13)),
        ("12:00 AM - 1:00 AM", (0, 1)),
        ("09:00am-11:00am", (9, 11)),
        ("9:00 AM \u2013 11:00 AM", (9, 11)),
        ("11:00 AM - 9:00 AM", None),
        ("9:00 AM - 9:00 AM", None),
        ("13:00 PM - 2:00 PM", None),
        ("9 AM - 11 AM", None),
        ("", None),
    ],
)
def test_a_slot_is_two_times_of_one_day(slot: str, hours: tuple[int, int] | None) -> None:
    found = window(slot)

    assert (found and (found[0].hour, found[1].hour)) == hours


def test_with_a_slot_the_visit_is_on_the_date_as_written() -> None:
    found = appointment("2026-03-05T00:00:00Z", "9:00 AM - 11:00 AM", 120, PHOENIX)

    assert found.start == datetime(2026, 3, 5, 16, 0, tzinfo=UTC)
    assert found.end == datetime(2026, 3, 5, 18, 0, tzinfo=UTC)
    assert (found.window_start, found.window_end) == (found.start, datetime(2026, 3, 5, 18, 0, tzinfo=UTC))


def test_without_a_slot_the_visit_is_at_the_instant() -> None:
    found = appointment("2026-03-05T09:00:00-07:00", None, 30, PHOENIX)

    assert found.start == datetime(2026, 3, 5, 16, 0, tzinfo=UTC)
    assert found.end == datetime(2026, 3, 5, 16, 30, tzinfo=UTC)
    assert found.window_start is None


@pytest.mark.parametrize(("day", "hour"), [("2026-03-07", 14), ("2026-03-08", 13), ("2026-11-01", 14)])
def test_a_slot_keeps_its_wall_clock_over_the_days_when_clocks_change(day: str, hour: int) -> None:
    found = appointment(f"{day}T00:00:00Z", "9:00 AM - 11:00 AM", 60, NEW_YORK)

    assert found.start == datetime.fromisoformat(f"{day}T{hour:02}:00:00+00:00")


@given(
    st.dates(date(2024, 1, 1), date(2030, 12, 31)),
    st.sampled_from(["12:30 AM - 1:30 AM", "1:30 AM - 3:30 AM", "9:00 AM - 11:00 AM", "10:00 PM - 11:59 PM"]),
    st.sampled_from(["America/Phoenix", "America/New_York", "Europe/London", "Australia/Lord_Howe"]),
    st.integers(30, 240),
)
def test_a_visit_has_its_length_on_every_day_and_a_window_that_does_not_go_back(
    day: date, slot: str, zone: str, minutes: int
) -> None:
    found = appointment(f"{day}T00:00:00Z", slot, minutes, ZoneInfo(zone))

    assert found.end - found.start == timedelta(minutes=minutes)
    assert found.window_start == found.start
    assert found.window_end is not None
    assert found.window_end >= found.start
