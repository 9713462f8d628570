import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.booking.matching import same_address, same_name

ANY_TEXT = st.text(max_size=40)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("John Smith", "john  SMITH"),
        ("Smith, John", "John Smith"),
        ("José Núñez", "Jose Nunez"),
        ("Mr. John Smith", "John Smith"),
        ("Shaun O'Neil", "Shaun ONeil"),
        ("Anne-Marie Roe", "Anne Marie Roe"),
    ],
)
def test_one_person_in_two_spellings(one: str, other: str) -> None:
    assert same_name(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("John Smith", "Jane Smith"),
        ("John Smith", "John Smith Jr"),
        ("John Smith", "John"),
        ("", ""),
        ("Mr.", "Mrs."),
    ],
)
def test_two_persons(one: str, other: str) -> None:
    assert not same_name(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("123 Main Street", "85251"), ("123 main st.", "85251-1234")),
        (("77 North 5th Avenue", "85001"), ("77 N. 5th Ave", "85001")),
        (("9 Oak Lane Apt 4", "85201"), ("9 Oak Ln #4", "85201")),
        (("9 Oak Lane, Unit #4", "85201"), ("9 Oak Ln Suite 4", "85201")),
    ],
)
def test_one_door_in_two_spellings(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert same_address(*one, *other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("123 Main St", "85251"), ("124 Main St", "85251")),
        (("123 Main St", "85251"), ("123 Main St", "85252")),
        (("123 N Main St", "85251"), ("123 S Main St", "85251")),
        (("9 Oak Ln Apt 4", "85201"), ("9 Oak Ln Apt 5", "85201")),
        (("9 Oak Ln Apt 4", "85201"), ("9 Oak Ln", "85201")),
        (("", "85201"), ("", "85201")),
    ],
)
def test_two_doors(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert not same_address(*one, *other)


@given(ANY_TEXT, ANY_TEXT)
def test_a_name_matches_either_way_round(one: str, other: str) -> None:
    assert same_name(one, other) == same_name(other, one)


@given(ANY_TEXT, ANY_TEXT)
def test_an_address_matches_either_way_round(one: str, other: str) -> None:
    assert same_address(one, "85201", other, "85201") == same_address(other, "85201", one, "85201")


@given(st.text(alphabet="abcdefgh XYZ'", min_size=1, max_size=20))
def test_case_never_matters(name: str) -> None:
    assert same_name(name, name.upper()) == same_name(name, name)
