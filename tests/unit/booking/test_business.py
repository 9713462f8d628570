"""The business file: A1's is the contract's tables, and what is wrong with one is said with its place."""

import pytest

from app.booking.business import Business, NameKind, NameUsed, parse
from app.booking.words import description, summary, visit_of
from app.business_file import load_business, text_of
from tests.support.bookings import booking

A1 = load_business()
SMALL = """
time_zone = "America/Denver"
business_unit = "Repairs"
job_type = "Service"
campaign = "Web"
cancel_reason = "No"
"""
DOOR = '[problems.door]\ndescription = "Door"\npriority = "low"\nminutes = 45\n'


def made(text: str) -> Business:
    found = parse(text)
    assert isinstance(found, Business), found
    return found


def test_every_problem_of_the_contract() -> None:
    assert {word: (p.priority, p.minutes, p.description) for word, p in A1.problems.items()} == {
        "broken_spring": ("high", 120, "Garage door spring repair/replacement"),
        "door_wont_open": ("normal", 90, "Garage door opener troubleshooting and repair"),
        "door_wont_close": ("high", 90, "Garage door closing mechanism repair"),
        "door_stuck_closed": ("high", 60, "Emergency: garage door stuck closed"),
        "noisy_door": ("normal", 60, "Garage door noise reduction and maintenance"),
        "remote_not_working": ("normal", 30, "Garage door remote control troubleshooting"),
        "new_door_installation": ("normal", 240, "New garage door installation consultation"),
        "other": ("normal", 90, "Garage door service, customer reported issue"),
    }
    assert (str(A1.time_zone), A1.customers.by_name) == ("America/Phoenix", False)


@pytest.mark.parametrize(
    ("zip_code", "unit"),
    [
        ("85251", "Scottsdale_North"),
        ("85259-1234", "Scottsdale_North"),
        ("85260", "Mesa_East"),
        ("85201", "Mesa_East"),
        ("85299", "Mesa_East"),
        ("85001", "Phoenix_Central"),
        ("85099", "Phoenix_Central"),
        ("85100", "Phoenix_Metro"),
        ("00000", "Phoenix_Metro"),
    ],
)
def test_the_narrowest_range_serves_a_zip(zip_code: str, unit: str) -> None:
    assert A1.unit_of("other", zip_code) == unit


def test_what_a_problem_and_an_area_say_comes_before_the_rest() -> None:
    found = made(
        SMALL.replace('"No"', '"No"\ntags = ["Online"]\n[customers]\nmatch = "phone, name and door"\n')
        + DOOR
        + 'job_type = "Doors"\nbusiness_unit = "Doors East"\ntags = ["Online", "Door"]\n'
        + '[problems.gate]\ndescription = "Gate"\npriority = "urgent"\nminutes = 30\n'
        + '[[areas]]\nzips = "80000-80999"\ntime_zone = "America/Chicago"\n'
        + '[[areas]]\nzips = "80123"\nbusiness_unit = "Center"\n'
    )
    assert (found.job_type_of("door"), found.job_type_of("gate")) == ("Doors", "Service")
    assert found.tags_of("door") == ("Online", "Door")
    assert [found.unit_of("gate", z) for z in ("80123", "80124", "90000")] == ["Center", "Repairs", "Repairs"]
    assert found.unit_of("door", "80123") == "Doors East"
    assert [str(found.zone_of(z)) for z in ("80123", "90000")] == ["America/Chicago", "America/Denver"]
    assert found.customers.by_name
    assert list(found.names()) == [
        NameUsed(NameKind.BUSINESS_UNIT, "Repairs", "business_unit"),
        NameUsed(NameKind.JOB_TYPE, "Service", "job_type"),
        NameUsed(NameKind.CAMPAIGN, "Web", "campaign"),
        NameUsed(NameKind.CANCEL_REASON, "No", "cancel_reason"),
        NameUsed(NameKind.TAG_TYPE, "Online", "tags"),
        NameUsed(NameKind.JOB_TYPE, "Doors", "problems.door.job_type"),
        NameUsed(NameKind.BUSINESS_UNIT, "Doors East", "problems.door.business_unit"),
        NameUsed(NameKind.TAG_TYPE, "Online", "problems.door.tags"),
        NameUsed(NameKind.TAG_TYPE, "Door", "problems.door.tags"),
        NameUsed(NameKind.BUSINESS_UNIT, "Center", "areas[2].business_unit"),
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("x =", "not TOML: Invalid value (at end of document)"),
        (SMALL, "problems: is missing"),
        (SMALL + "[problems]", "problems: dictionary should have at least 1 item after validation, not 0"),
        (SMALL + "colour = 1\n" + DOOR, "colour: is not a key of the business file"),
        (SMALL + DOOR + 'jobtype = "x"', "problems.door.jobtype: is not a key of the business file"),
        (SMALL + DOOR.replace("45", '"45"'), "problems.door.minutes: input should be a valid integer"),
        (
            SMALL + DOOR.replace("low", "soon"),
            "problems.door.priority: input should be 'low', 'normal', 'high' or 'urgent'",
        ),
        (
            SMALL + DOOR.replace("problems.door", 'problems." "'),
            "problems. : string should match pattern '^\\S.{0,99}$'",
        ),
        (
            SMALL.replace("America/Denver", "Mars/Base") + DOOR,
            "time_zone: must be a name of the IANA time zone database, such as America/Phoenix",
        ),
        (SMALL.replace('"Web"', '" "') + DOOR, "campaign: string should have at least 1 character"),
        (SMALL + 'tags = ["a", "a"]\n' + DOOR, "tags: 'a' stands there twice"),
        (
            SMALL + 'slots = ["9 to 11"]\n' + DOOR,
            "slots[1]: must be two times of one day, such as 9:00 AM - 11:00 AM",
        ),
        (
            SMALL + DOOR + '[[areas]]\nzips = "8500"',
            'areas[1].zips: must be a ZIP or a range of ZIPs, such as "85251-85259"',
        ),
        (
            SMALL + DOOR + "[[areas]]\nzips = 85001",
            'areas[1].zips: must be a ZIP or a range of ZIPs, such as "85251-85259"',
        ),
        (SMALL + DOOR + '[[areas]]\nzips = "85002-85001"', "areas[1].zips: must begin with the lower ZIP"),
        (
            SMALL + DOOR + '[[areas]]\nzips = "85001"\n[[areas]]\nzips = "85001-85001"',
            "areas: areas 1 and 2 have the same ZIPs",
        ),
        (
            SMALL + DOOR + '[[areas]]\nzips = "85001-85010"\n[[areas]]\nzips = "85005-85020"',
            "areas: areas 1 and 2 share ZIPs, but neither is in the other",
        ),
    ],
)
def test_what_is_wrong_is_one_line_with_its_place(text: str, line: str) -> None:
    assert parse(text) == (line,)


def test_all_that_is_wrong_is_told_at_once() -> None:
    lines = parse('a = 1\ntime_zone = "x"')
    assert isinstance(lines, tuple)
    assert len(lines) == 7


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "Garage door spring repair/replacement"),
        ({"doorCount": 2}, "Garage door spring repair/replacement (2 doors)"),
        (
            {"doorCount": 3, "specialInstructions": "Ring twice"},
            "Garage door spring repair/replacement (3 doors)\nRing twice",
        ),
    ],
)
def test_what_the_job_says(changes: dict[str, object], text: str) -> None:
    wanted = booking(**changes)
    assert description(A1.problems["broken_spring"], wanted) == text


def test_the_summary_is_html_in_which_nothing_of_a_customer_is_a_link() -> None:
    wanted = booking(
        doorAge=12, isRenter=True, specialInstructions='<a href="http://x">Free</a> & more\nRing twice'
    )
    assert summary(A1.problems["broken_spring"], wanted, "Charles Babbage").split("<br>\n") == [
        "Garage door spring repair/replacement",
        '&lt;a href="http://x"&gt;Free&lt;/a&gt; &amp; more',
        "Ring twice",
        "Door age: 12 years",
        "The customer rents the home",
        "Booked by Ada Lovelace",
    ]


def test_the_summary_tells_no_more_than_there_is() -> None:
    problem = A1.problems["broken_spring"]
    assert summary(problem, booking(), "Lovelace, Ada") == problem.description
    assert summary(problem, booking(doorAge=1)).endswith("Door age: 1 year")


def test_a_problem_that_the_file_no_longer_has_is_one_of_an_hour() -> None:
    visit = visit_of(booking().model_copy(update={"problem_type": "gone"}), A1)
    assert (visit.end - visit.start).total_seconds() == 3600


def test_the_same_file_read_twice_is_one_business() -> None:
    one, other = made(text_of(None)), made(text_of(None))
    assert one is not other
    assert {one: "read"}[other] == "read"
    assert hash(one) != hash(one.model_copy(update={"campaign": "another"}))
