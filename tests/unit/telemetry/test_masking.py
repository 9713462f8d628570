"""Personal data is masked by its mark, by its key, and in texts."""

from dataclasses import dataclass
from typing import Annotated

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from app.booking.personal import PERSONAL_KEYS, Personal, mask_email, mask_name, mask_phone
from app.telemetry.masking import masked, masked_text


class Caller(BaseModel):
    who: Annotated[str, Personal.NAME]
    reach: Annotated[str, Personal.PHONE] | None = None
    spare: Annotated[str | None, Personal.EMAIL] = None
    door_count: int = Field(default=1, alias="doorCount")


@dataclass(frozen=True, slots=True)
class Holder:
    caller: Caller
    email: str


@pytest.mark.parametrize(
    ("mask", "plain", "shown"),
    [
        (mask_name, "Ada Lovelace", "A*** L***"),
        (mask_name, "", ""),
        (mask_phone, "(602) 555-0123", "***23"),
        (mask_phone, "+16025550123", "***23"),
        (mask_phone, "123", "***"),
        (mask_email, "ada@example.com", "a***@example.com"),
        (mask_email, "not an address", "***"),
        (Personal.ADDRESS.mask, "1 Main St", "***"),
        (Personal.TEXT.mask, "gate code 1234", "***"),
    ],
)
def test_a_mask_leaves_enough_to_recognise_and_no_more(mask, plain: str, shown: str) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - a function of str
    assert mask(plain) == shown


def test_a_model_is_masked_by_its_marks() -> None:
    caller = Caller(who="Ada Lovelace", reach="6025550123", spare="ada@example.com", doorCount=2)
    assert masked(caller) == {
        "who": "A*** L***",
        "reach": "***23",
        "spare": "a***@example.com",
        "doorCount": 2,
    }
    assert masked(Caller(who="Ada"))["reach"] is None


def test_marks_count_inside_of_other_values() -> None:
    holder = Holder(Caller(who="Ada", reach="6025550123"), email="ada@example.com")
    assert masked({"list": [holder]}) == {
        "list": [
            {
                "caller": {"who": "A***", "reach": "***23", "spare": None, "doorCount": 1},
                "email": "a***@example.com",
            }
        ]
    }


@pytest.mark.parametrize("key", ["firstName", "first_name", "FIRST-NAME", "FirstName"])
def test_keys_are_known_however_they_are_written(key: str) -> None:
    assert masked({"data": [{key: "Ada"}]}) == {"data": [{key: "A***"}]}


def test_a_name_is_personal_only_where_persons_are() -> None:
    body = {
        "name": "booking-events",
        "customer": {"name": "Ada", "address": {"street": "1 Main", "zip": "85001"}},
    }
    assert masked(body) == {
        "name": "booking-events",
        "customer": {"name": "A***", "address": {"street": "***", "zip": "85001"}},
    }


def test_secrets_are_hidden_by_their_keys() -> None:
    headers = {"Authorization": "Bearer x", "ST-App-Key": "ak1.x", "client_secret": "cs1.x", "Accept": "any"}
    assert masked(headers) == {
        "Authorization": "***",
        "ST-App-Key": "***",
        "client_secret": "***",
        "Accept": "any",
    }


@pytest.mark.parametrize(
    "text",
    [
        '{"firstName": "Ada", "phone":"6025550123", "address":"1 Main St"}',
        r'"{\"firstName\": \"Ada\", \"phone\":\"6025550123\", \"address\":\"1 Main St\"}"',
        "Booking(first_name='Ada', phone='6025550123', address='1 Main St')",
        "{'firstName': 'Ada', 'phone': '6025550123', 'address': '1 Main St'}",
        "invalid: ada.main@example.com",
    ],
)
def test_texts_lose_what_looks_personal(text: str) -> None:
    for shown in (masked_text(text), masked(text.encode()), masked(ValueError(text))):
        assert not [word for word in ("Ada", "ada.main", "6025550123", "Main") if word in shown]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
def test_whatever_comes_in_what_comes_out_is_json(value: object) -> None:
    orjson.dumps(masked(value))


@given(st.sampled_from(sorted(PERSONAL_KEYS)), st.integers(0, 3))
def test_a_known_key_is_masked_at_any_depth(key: str, depth: int) -> None:
    value: object = {key: "secretvalue secretvalue"}
    for _ in range(depth):
        value = {"deeper": [value]}
    assert "secretvalue secretvalue" not in str(masked(value))


def test_what_is_nested_without_end_is_cut_off() -> None:
    endless: list[object] = []
    endless.append(endless)
    assert "..." in str(masked(endless))


def test_a_value_that_was_cut_before_its_end_is_masked_all_the_same() -> None:
    assert masked_text('{"phone": "(602) 555-01') == '{"phone": "***01'
    assert "Ada" not in masked_text("firstName='Ada Lovelace, and so on")


def test_an_address_is_masked_whatever_stands_before_it() -> None:
    assert masked_text(f"x {'a' * 300}@example.com") == "x a***@example.com"
