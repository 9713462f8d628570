"""The business: what a door problem asks for, which unit serves a ZIP, and the names it has in ServiceTitan.

The form is the contract's section 6a. Another business writes a file and changes nothing here.
"""

import tomllib
from collections.abc import Iterator
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
)

from app.booking.visits import window


class NameKind(StrEnum):
    """The tenant's lists in ServiceTitan that a name may be of, as people call them."""

    BUSINESS_UNIT = "business units"
    JOB_TYPE = "job types"
    CAMPAIGN = "campaigns"
    CANCEL_REASON = "job cancel reasons"
    TAG_TYPE = "tag types"


class NameUsed(NamedTuple):
    """A name that must stand in one of ServiceTitan's lists, and where the business file says it."""

    kind: NameKind
    name: str
    place: str


class Zips(NamedTuple):
    """A range of ZIPs, both ends in it."""

    low: int
    high: int

    def holds(self, other: "Zips") -> bool:
        """Whether all of the other lies in this one."""
        return self.low <= other.low and other.high <= self.high


def _zone(value: object) -> object:
    if not isinstance(value, str) or value not in available_timezones():
        raise ValueError("must be a name of the IANA time zone database, such as America/Phoenix")
    return ZoneInfo(value)


def _zips(value: object) -> object:
    low, dash, high = str(value).partition("-")
    ends = [low.strip(), high.strip() if dash else low.strip()]
    if not isinstance(value, str) or not all(len(e) == 5 and e.isascii() and e.isdecimal() for e in ends):
        raise ValueError('must be a ZIP or a range of ZIPs, such as "85251-85259"')
    found = Zips(int(ends[0]), int(ends[1]))
    if found.low > found.high:
        raise ValueError("must begin with the lower ZIP")
    return found


def _slot(text: str) -> str:
    if window(text) is None:
        raise ValueError("must be two times of one day, such as 9:00 AM - 11:00 AM")
    return text


def _once(values: tuple[str, ...]) -> tuple[str, ...]:
    twice = next((value for at, value in enumerate(values) if value in values[:at]), None)
    if twice is not None:
        raise ValueError(f"'{twice}' stands there twice")
    return values


Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
ListName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Names = Annotated[tuple[ListName, ...], Field(strict=False), AfterValidator(_once)]
SlotText = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_slot)]
Slots = Annotated[tuple[SlotText, ...], Field(strict=False), AfterValidator(_once)]


class _Table(BaseModel):
    """A table of the file."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", arbitrary_types_allowed=True, hide_input_in_errors=True
    )


class Problem(_Table):
    """What a problem asks of ServiceTitan: the job's first line, priority and length in minutes."""

    description: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
    priority: Literal["low", "normal", "high", "urgent"]
    minutes: Annotated[int, Field(ge=1, le=1440)]
    job_type: ListName | None = None
    business_unit: ListName | None = None
    tags: Names = ()


_NO_LONGER_KNOWN = Problem(description="Service", priority="normal", minutes=60)


class Area(_Table):
    """What is otherwise in some ZIPs."""

    zips: Annotated[Zips, BeforeValidator(_zips)]
    business_unit: ListName | None = None
    time_zone: Zone | None = None


class Customers(_Table):
    """When two bookings are of one customer."""

    match: Literal["phone and door", "phone, name and door"] = "phone and door"

    @property
    def by_name(self) -> bool:
        """Whether one phone at one door is one customer only if the name is the same, too."""
        return self.match == "phone, name and door"


ProblemWord = Annotated[str, StringConstraints(pattern=r"^\S.{0,99}$")]


class Business(_Table):
    """One business. `parse` makes it of a file's text."""

    name: str = ""
    time_zone: Zone
    business_unit: ListName
    job_type: ListName
    campaign: ListName
    cancel_reason: ListName
    tags: Names = ()
    slots: Slots = ()
    customers: Customers = Customers()
    problems: Annotated[dict[ProblemWord, Problem], Field(min_length=1)]
    areas: Annotated[tuple[Area, ...], Field(strict=False)] = ()

    def __hash__(self) -> int:
        """By what tells two businesses apart in practice: a dict, as `problems` is, has no hash."""
        return hash((self.name, self.business_unit, self.job_type, self.campaign))

    @field_validator("areas")
    @classmethod
    def _narrow(cls, areas: tuple[Area, ...]) -> tuple[Area, ...]:
        """Of two ranges that share a ZIP one must lie in the other, or neither is the narrower one."""
        for at, area in enumerate(areas):
            for before, other in enumerate(areas[:at]):
                one, two = area.zips, other.zips
                apart = one.high < two.low or two.high < one.low
                if one == two:
                    raise ValueError(f"areas {before + 1} and {at + 1} have the same ZIPs")
                if not (apart or one.holds(two) or two.holds(one)):
                    raise ValueError(
                        f"areas {before + 1} and {at + 1} share ZIPs, but neither is in the other"
                    )
        return areas

    @cached_property
    def problem_types(self) -> frozenset[str]:
        """What a booking's `problemType` may be."""
        return frozenset(self.problems)

    @cached_property
    def _narrowest_first(self) -> tuple[Area, ...]:
        return tuple(sorted(self.areas, key=lambda area: area.zips.high - area.zips.low))

    def problem_of(self, problem_type: str) -> Problem:
        """The problem; for a booking that was taken under another file it may be none of this one."""
        return self.problems.get(problem_type, _NO_LONGER_KNOWN)

    def zone_of(self, zip_code: str) -> ZoneInfo:
        """The time zone of a ZIP (`12345` or `12345-6789`)."""
        return next((area.time_zone for area in self._areas_of(zip_code) if area.time_zone), self.time_zone)

    def unit_of(self, problem_type: str, zip_code: str) -> str:
        """The business unit that does this problem in a ZIP: the problem's own, else the area's."""
        own = self.problem_of(problem_type).business_unit
        here = (area.business_unit for area in self._areas_of(zip_code) if area.business_unit)
        return own or next(here, self.business_unit)

    def job_type_of(self, problem_type: str) -> str:
        """The job type of a problem."""
        return self.problem_of(problem_type).job_type or self.job_type

    def tags_of(self, problem_type: str) -> tuple[str, ...]:
        """The tags of a job for this problem, each once."""
        return tuple(dict.fromkeys((*self.tags, *self.problem_of(problem_type).tags)))

    def names(self) -> Iterator[NameUsed]:
        """Every name that must stand in ServiceTitan's lists, in the order of the file."""
        yield NameUsed(NameKind.BUSINESS_UNIT, self.business_unit, "business_unit")
        yield NameUsed(NameKind.JOB_TYPE, self.job_type, "job_type")
        yield NameUsed(NameKind.CAMPAIGN, self.campaign, "campaign")
        yield NameUsed(NameKind.CANCEL_REASON, self.cancel_reason, "cancel_reason")
        for tag in self.tags:
            yield NameUsed(NameKind.TAG_TYPE, tag, "tags")
        for word, problem in self.problems.items():
            place = f"problems.{word}"
            if problem.job_type:
                yield NameUsed(NameKind.JOB_TYPE, problem.job_type, f"{place}.job_type")
            if problem.business_unit:
                yield NameUsed(NameKind.BUSINESS_UNIT, problem.business_unit, f"{place}.business_unit")
            for tag in problem.tags:
                yield NameUsed(NameKind.TAG_TYPE, tag, f"{place}.tags")
        for at, area in enumerate(self.areas, start=1):
            if area.business_unit:
                yield NameUsed(NameKind.BUSINESS_UNIT, area.business_unit, f"areas[{at}].business_unit")

    def _areas_of(self, zip_code: str) -> Iterator[Area]:
        number = int(zip_code[:5])
        return (area for area in self._narrowest_first if area.zips.low <= number <= area.zips.high)


def parse(text: str) -> Business | tuple[str, ...]:
    """The business that a file describes, or what is wrong with the file: one line each, with its place."""
    try:
        return Business.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as wrong:
        return (f"not TOML: {wrong}",)
    except ValidationError as wrong:
        return tuple(dict.fromkeys(_line(error) for error in wrong.errors()))


_SAID = {"missing": "is missing", "extra_forbidden": "is not a key of the business file"}


def _line(error: Any) -> str:  # noqa: ANN401 - pydantic's ErrorDetails
    place = ""
    for part in error["loc"]:
        if part == "[key]":
            continue
        place += f"[{part + 1}]" if isinstance(part, int) else f"{'.' if place else ''}{part}"
    message = _SAID.get(error["type"]) or error["msg"].removeprefix("Value error, ")
    return f"{place}: {message[:1].lower()}{message[1:]}"
