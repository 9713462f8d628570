from datetime import UTC, datetime
from typing import Any

import pytest

from app.simulator.query import Filters, Query, Slice, page_of, page_of_list
from app.simulator.state.records import NamedRow, Refusal
from app.simulator.wire.jpm import Priority

DAY = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = [
    NamedRow(id=number, name=f"n{number}", created_on=DAY.replace(day=number), modified_on=DAY)
    for number in range(1, 11)
]


def slice_of(**params: str) -> Slice[NamedRow]:
    query = Query(params)
    found = page_of(query, Filters[NamedRow](query), lambda: ROWS)
    assert isinstance(found, Slice)
    return found


def ids(found: Slice[NamedRow]) -> list[int]:
    return [row.id for row in found.rows]


def test_pages_cover_every_row_once() -> None:
    pages = [slice_of(page=str(number), pageSize="4") for number in (1, 2, 3, 4)]
    assert [row_id for page in pages for row_id in ids(page)] == list(range(1, 11))
    assert [page.has_more for page in pages] == [True, True, False, False]


def test_the_total_is_told_only_when_asked_for() -> None:
    assert slice_of(pageSize="3").total is None
    assert slice_of(pageSize="3", includeTotal="true").total == 10
    assert slice_of(pageSize="3", includeTotal="TRUE", sort="-Id").total == 10


def test_rows_are_sorted_either_way() -> None:
    assert ids(slice_of(sort="-Id", pageSize="2")) == [10, 9]
    assert ids(slice_of(sort="+CreatedOn", pageSize="2")) == [1, 2]
    assert ids(slice_of(sort="id", pageSize="1")) == [1]


def test_names_of_parameters_have_no_case() -> None:
    assert ids(slice_of(PAGESIZE="1")) == [1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sort", "-completedOn"),
        ("page", "0"),
        ("page", "x"),
        ("page", "1" + "0" * 30),
        ("pageSize", "5001"),
        ("pageSize", "-1"),
        ("includeTotal", "perhaps"),
    ],
)
def test_a_bad_value_is_refused_by_name(name: str, value: str) -> None:
    query = Query({name: value})

    def candidates() -> list[NamedRow]:
        raise AssertionError("nothing is looked at when a query is refused")

    found = page_of(query, Filters[NamedRow](query), candidates)
    assert isinstance(found, Refusal)
    assert found.status == 400
    assert list(found.errors) == [name]


def test_the_text_of_a_bad_sort_is_the_vendors() -> None:
    query = Query({"sort": "-completedOn"})
    found = page_of(query, Filters[NamedRow](query), lambda: ROWS)
    assert isinstance(found, Refusal)
    assert found.errors == {"sort": ["The value '-completedOn' is not valid for Sort."]}


@pytest.mark.parametrize(
    ("method", "value"),
    [
        ("integer", "1.5"),
        ("number", "far"),
        ("instant", "yesterday"),
        ("boolean", "2"),
        ("ids", "1,x"),
        ("ids", ",".join(["1"] * 51)),
    ],
)
def test_bad_values_of_every_type_gather(method: str, value: str) -> None:
    query = Query({"one": value, "two": value})
    getattr(query, method)("one")
    getattr(query, method)("two")
    assert query.refusal is not None
    assert list(query.refusal.errors) == ["one", "two"]


@pytest.mark.parametrize(
    ("text", "value"), [(None, True), ("True", True), ("true", True), ("False", False), ("Any", None)]
)
def test_active_is_true_false_or_any(text: str | None, *, value: bool | None) -> None:
    query = Query({"active": text} if text else {})
    assert query.active() is value
    assert query.refusal is None


def test_a_bad_active_is_refused() -> None:
    query = Query({"active": "yes"})
    query.active()
    assert query.refusal is not None


def test_an_empty_parameter_counts_as_absent() -> None:
    query = Query({"page": "", "ids": "", "sort": ""})
    assert (query.integer("page"), query.ids("ids"), query.sort({})) == (None, None, None)
    assert query.refusal is None


def test_enums_have_no_case() -> None:
    assert Query({"priority": "hIGH"}).choice("priority", Priority) is Priority.HIGH


def test_a_plus_that_was_not_encoded_is_still_an_offset() -> None:
    assert Query({"at": "2026-01-01T07:00:00 07:00"}).instant("at") == DAY


def test_a_window_is_open_at_its_end() -> None:
    query = Query({"createdOnOrAfter": "2026-01-03", "createdBefore": "2026-01-05"})
    filters = Filters[NamedRow](query)
    since = filters.window("created", lambda row: row.created_on)
    assert since == DAY.replace(day=3)
    assert [row.id for row in ROWS if filters.passes(row)] == [3, 4]


def test_rows_without_filters_are_paged_too() -> None:
    query = Query({"page": "2", "pageSize": "4", "includeTotal": "1"})
    found: Any = page_of_list(query, list(range(10)))
    assert (found.rows, found.has_more, found.total) == ([4, 5, 6, 7], True, 10)
    assert isinstance(page_of_list(Query({"page": "x"}), [1]), Refusal)
