"""Signing in: a cookie that any worker with the same keys takes, and nobody can make without one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from app.setting_types import ApiKey
from app.web.access import Denied, Doors, doors
from app.web.ops.session import LASTS, Visitor, is_from_our_page, sign_in, visitor

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def keys(read: str = "", act: str = "") -> Doors:
    return doors(*(tuple(_key(one) for one in text.split(",") if one) for text in (read, act)))


def _key(text: str) -> ApiKey:
    name, _, key = text.partition(":")
    return ApiKey(name, SecretStr(key))


HELD = keys("ann:read-key-of-ann-0", "bo:act-key-of-bo-000")


def who(held: Doors, cookie: str | None, now: datetime = NOW) -> Visitor | Denied:
    return visitor(
        held, cookie=cookie, authorization=None, remote="10.0.0.1", host="ops.example.com", now=now
    )


@pytest.mark.parametrize(
    ("key", "name", "may_act"), [("read-key-of-ann-0", "ann", False), ("act-key-of-bo-000", "bo", True)]
)
def test_a_key_becomes_a_cookie_that_another_worker_takes(key: str, name: str, *, may_act: bool) -> None:
    cookie = sign_in(HELD, key, NOW)
    assert cookie is not None
    assert key not in cookie
    other_worker = keys("ann:read-key-of-ann-0", "bo:act-key-of-bo-000")
    assert who(other_worker, cookie) == Visitor(name=name, may_act=may_act)


def test_a_proxys_password_beside_a_good_cookie_signs_nobody_out() -> None:
    cookie = sign_in(HELD, "act-key-of-bo-000", NOW)
    for authorization, found in (
        ("Basic b3BzOnBhc3N3b3Jk", Visitor(name="bo", may_act=True)),
        ("Negotiate x", Visitor(name="bo", may_act=True)),
        ("Bearer guessed", Denied.UNKNOWN_KEY),
        ("Bearer read-key-of-ann-0", Visitor(name="ann", may_act=False)),
    ):
        seen = visitor(HELD, cookie=cookie, authorization=authorization, remote="10.0.0.1", host="h", now=NOW)
        assert seen == found


def test_an_unknown_key_gets_none() -> None:
    assert sign_in(HELD, "guessed", NOW) is None


def test_a_cookie_ends_with_its_time_and_with_its_key() -> None:
    cookie = sign_in(HELD, "read-key-of-ann-0", NOW)
    assert isinstance(who(HELD, cookie, NOW + LASTS - timedelta(seconds=1)), Visitor)
    assert who(HELD, cookie, NOW + LASTS + timedelta(seconds=1)) is Denied.NO_KEY
    assert who(keys("ann:another", "bo:act-key-of-bo-000"), cookie) is Denied.NO_KEY


def test_a_cookie_cannot_be_prolonged_or_turned_into_another_keys() -> None:
    cookie, other = sign_in(HELD, "read-key-of-ann-0", NOW), sign_in(HELD, "act-key-of-bo-000", NOW)
    assert cookie is not None
    assert other is not None
    name, until, code = cookie.split(".")
    assert who(HELD, f"{name}.{int(until) + 60}.{code}") is Denied.NO_KEY
    assert who(HELD, f"{other.split('.')[0]}.{until}.{code}") is Denied.NO_KEY
    for broken in ("", ".", "..", "a.b.c", f"{name}.{until}", f"{name}.x.{code}", "ä.1.ö"):
        assert who(HELD, broken) is Denied.NO_KEY


def test_without_keys_only_this_machine_is_let_in() -> None:
    def local(remote: str, host: str) -> Visitor | Denied:
        return visitor(keys(), cookie=None, authorization=None, remote=remote, host=host, now=NOW)

    assert local("127.0.0.1", "localhost") == Visitor(name="local", may_act=True, local=True)
    assert local("10.0.0.1", "localhost") is Denied.NOT_LOCAL
    assert local("127.0.0.1", "evil.example.com") is Denied.NOT_LOCAL


@pytest.mark.parametrize(
    ("headers", "good"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "cross-site", "Authorization": "Bearer x"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Origin": "http://ops.example.com:6066"}, True),
        ({"Origin": "http://evil.example.com"}, False),
        ({"Origin": "null"}, False),
        ({"Authorization": "Bearer x"}, True),
        ({"Authorization": "Basic x"}, False),
        ({"Authorization": "Basic x", "Sec-Fetch-Site": "same-origin"}, True),
        ({}, False),
    ],
)
def test_a_form_must_come_from_our_page(headers: dict[str, str], *, good: bool) -> None:
    assert is_from_our_page(headers, "ops.example.com:6066") is good
