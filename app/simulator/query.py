"""Query strings as ServiceTitan reads them: unknown parameters ignored, bad values of known ones refused."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Generic, TypeVar

from app.simulator.state.records import Refusal, Row
from app.simulator.wire.dates import parse_instant
from app.simulator.wire.envelope import DEFAULT_PAGE_SIZE, MAX_IDS, MAX_PAGE_SIZE

E = TypeVar("E", bound=StrEnum)
R = TypeVar("R")
SR = TypeVar("SR", bound=Row)

_MAX_PAGE = 2**31 - 1
_TRUE = ("true", "1")
_FALSE = ("false", "0")


@dataclass(frozen=True, slots=True)
class Slice(Generic[R]):
    """The rows of one page, and what is around them."""

    page: int
    page_size: int
    has_more: bool
    total: int | None
    rows: list[R]


class Query:
    """The parameters of one call. A getter gives None for what is absent; bad values gather in `refusal`."""

    def __init__(self, params: Mapping[str, str]) -> None:
        self._params = {name.lower(): value for name, value in params.items()}
        self._errors: dict[str, list[str]] = {}

    @property
    def refusal(self) -> Refusal | None:
        """The 400 that names every bad parameter read so far."""
        return Refusal(400, "Validation failed", self._errors) if self._errors else None

    def text(self, name: str) -> str | None:
        """The text; an empty one counts as absent."""
        return self._params.get(name.lower()) or None

    def integer(self, name: str) -> int | None:
        """A whole number."""
        return self._read(name, int)

    def number(self, name: str) -> float | None:
        """A number."""
        return self._read(name, float)

    def instant(self, name: str) -> datetime | None:
        """A UTC instant. A `+` that the caller did not encode arrives as a blank; it is taken as meant."""
        return self._read(name, lambda text: parse_instant(_mend_offset(text)))

    def boolean(self, name: str) -> bool | None:
        """`true` or `false`, any case."""
        return self._read(name, _boolean)

    def choice(self, name: str, kind: type[E]) -> E | None:
        """A value of a closed list, any case."""
        by_name = {value.lower(): value for value in kind}
        return self._read(name, lambda text: by_name[text.lower()])

    def texts(self, name: str) -> tuple[str, ...] | None:
        """At most 50 texts, joined by commas."""
        text = self.text(name)
        if text is None:
            return None
        values = tuple(part.strip() for part in text.split(",") if part.strip())
        if len(values) > MAX_IDS:
            self.refuse(name, f"At most {MAX_IDS} values are allowed.")
        return values

    def ids(self, name: str) -> tuple[int, ...] | None:
        """At most 50 ids, joined by commas."""
        values = self.texts(name)
        if values is None:
            return None
        try:
            return tuple(int(value) for value in values)
        except ValueError:
            self._invalid(name)
            return None

    def active(self, default: bool | None = True) -> bool | None:
        """The filter `active`: True, False, or None for `Any`; lower case is taken too."""
        text = self.text("active")
        match text.lower() if text else None:
            case None:
                return default
            case "any":
                return None
            case "true" | "false" as value:
                return value == "true"
            case _:
                self._invalid("active")
                return default

    def sort(self, fields: Mapping[str, Callable[[R], object]]) -> tuple[Callable[[R], object], bool] | None:
        """The sort key and whether it is descending: `+Field` or `-Field` of a closed list."""
        text = self.text("sort")
        if text is None:
            return None
        name = text.strip().lstrip("+-").lower()
        key = next((key for field, key in fields.items() if field.lower() == name), None)
        if key is None:
            self.refuse("sort", f"The value '{text}' is not valid for Sort.")
            return None
        return key, text.startswith("-")

    def paging(self) -> tuple[int, int, bool]:
        """Page (from 1), page size (1 to 5000), and whether the total is wanted."""
        page = self.integer("page")
        size = self.integer("pageSize")
        if page is not None and not 1 <= page <= _MAX_PAGE:
            self._invalid("page")
        if size is not None and not 1 <= size <= MAX_PAGE_SIZE:
            self._invalid("pageSize")
        return page or 1, size or DEFAULT_PAGE_SIZE, bool(self.boolean("includeTotal"))

    def refuse(self, name: str, message: str) -> None:
        """Add to what makes the call a 400."""
        self._errors.setdefault(name, []).append(message)

    def _invalid(self, name: str) -> None:
        title = name[:1].upper() + name[1:]
        self.refuse(name, f"The value '{self.text(name)}' is not valid for {title}.")

    def _read(self, name: str, parse: Callable[[str], R]) -> R | None:
        text = self.text(name)
        if text is None:
            return None
        try:
            return parse(text)
        except (ValueError, KeyError, OverflowError):
            self._invalid(name)
            return None


class Filters(Generic[SR]):
    """The tests a row must pass, read from a query."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self._tests: list[Callable[[SR], bool]] = []

    def add(self, test: Callable[[SR], bool]) -> None:
        """One more test."""
        self._tests.append(test)

    def equal(self, value: object, get: Callable[[SR], object]) -> None:
        """The row's value is this one; no test for None."""
        if value is not None:
            self._tests.append(lambda row: get(row) == value)

    def among(self, values: Iterable[object] | None, get: Callable[[SR], object]) -> None:
        """The row's value is one of these; no test for None."""
        if values is not None:
            allowed = frozenset(values)
            self._tests.append(lambda row: get(row) in allowed)

    def contains(self, name: str, get: Callable[[SR], str | None]) -> None:
        """The row's text contains the parameter's, any case."""
        text = self._query.text(name)
        if text is not None:
            wanted = text.lower()
            self._tests.append(lambda row: wanted in (get(row) or "").lower())

    def window(self, prefix: str, get: Callable[[SR], datetime | None]) -> datetime | None:
        """The row's instant is at or after `{prefix}OnOrAfter` (given back) and before `{prefix}Before`."""
        start = self._query.instant(f"{prefix}OnOrAfter")
        end = self._query.instant(f"{prefix}Before")
        if start is not None:
            self._tests.append(lambda row: (moment := get(row)) is not None and moment >= start)
        if end is not None:
            self._tests.append(lambda row: (moment := get(row)) is not None and moment < end)
        return start

    def passes(self, row: SR) -> bool:
        """Whether the row passes all tests."""
        return all(test(row) for test in self._tests)


ROW_SORTS: dict[str, Callable[[Row], object]] = {
    "Id": lambda row: row.id,
    "ModifiedOn": lambda row: row.modified_on,
    "CreatedOn": lambda row: row.created_on,
}


def page_of(
    query: Query,
    filters: Filters[SR],
    candidates: Callable[[], Iterable[SR]],
    sorts: Mapping[str, Callable[[SR], object]] | None = None,
) -> Slice[SR] | Refusal:
    """The page that the query asks for; nothing is looked at when the query is refused.

    Candidates come by id. Only sorting and `includeTotal` look further than the page.
    """
    number, size, wants_total = query.paging()
    order = query.sort(sorts or ROW_SORTS)
    if query.refusal:
        return query.refusal
    rows: Iterable[SR] = filter(filters.passes, candidates())
    if order is not None:
        key, descending = order
        rows = sorted(rows, key=lambda row: (key(row), row.id), reverse=descending)
    elif wants_total:
        rows = list(rows)
    total = len(rows) if wants_total and isinstance(rows, list) else None
    skipped = (number - 1) * size
    found = list(islice(rows, skipped, skipped + size + 1))
    return Slice(number, size, len(found) > size, total, found[:size])


def page_of_list(query: Query, rows: Sequence[R]) -> Slice[R] | Refusal:
    """The page that the query asks for of rows that have no filters."""
    number, size, wants_total = query.paging()
    if query.refusal:
        return query.refusal
    skipped = (number - 1) * size
    total = len(rows) if wants_total else None
    return Slice(number, size, len(rows) > skipped + size, total, list(rows[skipped : skipped + size]))


def _boolean(text: str) -> bool:
    lowered = text.lower()
    if lowered in _TRUE:
        return True
    if lowered in _FALSE:
        return False
    raise ValueError(text)


def _mend_offset(text: str) -> str:
    head, blank, tail = text.rpartition(" ")
    return f"{head}+{tail}" if blank and "T" in head else text
