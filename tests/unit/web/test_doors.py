"""Who is let in, what is there at all, and what every answer carries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from app.settings import load
from app.web.access import Access, Caller, Denied, doors
from app.web.operations import OPERATIONS, PREFIX, Operation
from tests.support.rows import with_job
from tests.support.web import Served, serving

if TYPE_CHECKING:
    from pathlib import Path

READ = {"Authorization": "Bearer read-key-of-ann-0"}
ACT = {"Authorization": "Bearer act-key-of-bo-000"}


def address(operation: Operation) -> str:
    path = operation.path.replace("{jobId}", "1001").replace("{bookingId}", "b-1")
    return f"{path}?startDate=2026-03-01&endDate=2026-03-02" if operation.path.endswith("/jobs") else path


async def status(served: Served, operation: Operation, headers: dict[str, str]) -> int:
    body: dict[str, Any] = {"json": {}} if operation.body or operation.any_json else {}
    found, _, _ = await served.ask(operation.method, address(operation), api=False, headers=headers, **body)
    return found


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
async def test_each_operation_asks_for_its_key(keyed: Served, operation: Operation) -> None:
    keyed.view.put(with_job("b-1", 1001))
    nobody = await status(keyed, operation, {})
    unknown = await status(keyed, operation, {"Authorization": "Bearer nonsense"})
    reader = await status(keyed, operation, READ)
    actor = await status(keyed, operation, ACT)
    match operation.access:
        case Access.READ:
            assert (nobody, unknown) == (401, 401)
            assert reader not in {401, 403}
            assert actor == reader
        case Access.ACT:
            assert (nobody, unknown, reader) == (401, 401, 403)
            assert actor not in {401, 403}
        case Access.OPEN | Access.SIGNED:
            assert nobody == unknown == reader == actor
            assert nobody not in {401, 403}


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "act-key-of-bo-000",
        "Basic act-key-of-bo-000",
        "Bearer act-key-of-bo-000x",
        "Bearer act-key-of-bo-00",
        "bearer\tact-key",
    ],
)
async def test_what_is_no_key_opens_nothing(keyed: Served, authorization: str) -> None:
    found, body, headers = await keyed.ask("GET", "/jobs/1", headers={"Authorization": authorization})
    assert (found, body["error"], headers["WWW-Authenticate"]) == (401, "Unauthorized", "Bearer")


async def test_each_of_several_keys_opens_and_is_named_in_the_log(keyed: Served) -> None:
    with capture_logs() as lines:
        for key in ("act-key-of-bo-000", "spare-key-of-bo-0", "read-key-of-ann-0"):
            found, _, _ = await keyed.ask("GET", "/jobs/1", headers={"Authorization": f"bearer {key}"})
            assert found == 404
    assert [line["caller"] for line in lines] == ["bo", "act-2", "ann"]
    assert not any("-key" in str(value) for line in lines for value in line.values())


def test_with_read_keys_alone_nobody_may_act() -> None:
    keys = doors(load({"API_READ_KEYS": "r" * 16}).api_read_keys, ())
    admitted = keys.admit(
        Access.ACT, authorization=f"Bearer {'r' * 16}", remote="127.0.0.1", host="localhost"
    )
    assert admitted is Denied.READ_ONLY
    assert keys.admit(Access.ACT, authorization=None, remote="127.0.0.1", host="localhost") is Denied.NO_KEY


@pytest.mark.parametrize(
    ("remote", "host", "let_in"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("::1", "::1", True),
        ("127.0.0.1", "localhost", True),
        ("127.0.0.1", "evil.example", False),
        ("192.0.2.7", "127.0.0.1", False),
        (None, "localhost", False),
    ],
)
def test_without_keys_only_this_machine_by_its_own_name(remote: str | None, host: str, let_in: bool) -> None:
    found = doors((), ()).admit(Access.ACT, authorization=None, remote=remote, host=host)
    assert found == (Caller("local", may_act=True) if let_in else Denied.NOT_LOCAL)


async def test_a_name_that_was_made_to_resolve_here_is_not_served(served: Served) -> None:
    found, body, _ = await served.ask("GET", "/jobs/1", headers={"Host": "evil.example:80"})
    assert (found, body["error"]) == (403, "Forbidden")
    for name in ("localhost", "127.0.0.1:1", "[::1]:80", "[::1]"):
        found, _, _ = await served.ask("GET", "/jobs/1", headers={"Host": name})
        assert found == 404


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/table/",
        "/table/bookings/",
        "/router/",
        "/stats/",
        "/graph/",
        "/metrics/x",
        "/nope",
        f"{PREFIX}",
        f"{PREFIX}/",
        f"{PREFIX}/jobs/",
        f"{PREFIX}/nope",
        f"{PREFIX}//jobs",
        f"{PREFIX}/jobs/1/status/more",
    ],
)
async def test_nothing_else_is_there(served: Served, path: str) -> None:
    found, body, _ = await served.ask("GET", path, api=False)
    assert (found, body["error"]) == (404, "Not Found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/jobs/1001", "DELETE, GET, HEAD"),
        ("DELETE", "/jobs", "GET, HEAD, POST"),
        ("OPTIONS", "/jobs", "GET, HEAD, POST"),
        ("GET", "/webhook", "POST"),
        ("GET", "/jobs/1001/status", "PATCH"),
        ("POST", "/health", "GET, HEAD"),
        ("GET", "/bookings/b%2F1/actions", "POST"),
    ],
)
async def test_other_methods_are_told_which_there_are(
    served: Served, method: str, path: str, allowed: str
) -> None:
    found, body, headers = await served.ask(method, path)
    assert (found, headers["Allow"], body["error"]) == (405, allowed, "Method Not Allowed")


async def test_head_is_answered_as_get_without_a_body(served: Served) -> None:
    assert (await served.ask("HEAD", "/health"))[0] == 200
    assert (await served.ask("HEAD", "/webhook"))[0] == 405


@pytest.mark.parametrize(("path", "found"), [("/health", 200), ("/jobs/7", 404), ("/nope", 404)])
async def test_every_answer_carries_its_headers(served: Served, path: str, found: int) -> None:
    status_, _, headers = await served.ask("GET", path, headers={"X-Request-ID": "mine-1"})
    assert status_ == found
    assert headers["X-Request-ID"] == "mine-1"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "aiohttp" not in headers["Server"].lower()
    assert "Python" not in headers["Server"]


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\u00e9", "<script>"])
async def test_a_request_id_that_is_none_is_replaced(served: Served, given: str) -> None:
    _, _, headers = await served.ask("GET", "/health", headers={"X-Request-ID": given})
    assert headers["X-Request-ID"] != given
    assert len(headers["X-Request-ID"]) == 32


async def test_what_stands_in_an_address_stays_out_of_the_log(served: Served) -> None:
    with capture_logs() as lines:
        await served.ask("GET", "/bookings/ada%40example.com?event=602-555-0123")
        await served.ask("GET", "/ada@example.com")
    assert [line["path"] for line in lines] == [f"{PREFIX}/bookings/{{bookingId}}", "-"]
    assert "example.com" not in str(lines)


async def test_an_error_of_our_own_shows_nothing_of_it(served: Served) -> None:
    served.view.put(with_job("b-1", 1001))
    served.view.database.execute("UPDATE bookings SET row = x'00'")
    with capture_logs() as lines:
        url = f"{served.address}{PREFIX}/jobs/1001"
        async with served.session.get(url, headers={"X-Request-ID": "r-1"}) as answer:
            body = await answer.json()
    assert (answer.status, answer.headers["X-Request-ID"]) == (500, "r-1")
    assert body == {
        "success": False,
        "error": "Internal Server Error",
        "message": "something went wrong here; the request id finds it in the log",
        "details": [],
    }
    assert any(line["event"] == "a view failed" for line in lines)


async def test_the_keys_are_shown_by_no_repr(tmp_path: Path) -> None:
    async with serving(tmp_path, API_ACT_KEYS="bo:act-key-of-bo-000") as served:
        keys = doors(served.settings.api_read_keys, served.settings.api_act_keys)
        assert "act-key-of-bo-000" not in repr(keys) + repr(served.settings)


@pytest.mark.parametrize(
    ("headers", "let_in"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://anything"}, True),
        ({}, True),
    ],
)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
async def test_a_page_of_another_site_asks_for_nothing_but_what_is_open(
    served: Served, operation: Operation, headers: dict[str, str], let_in: bool
) -> None:
    """Without keys any page in a browser on this machine could have a token asked for."""
    served.view.put(with_job("b-1", 1001))
    found = await status(served, operation, headers)
    assert (found == 403) is not (let_in or operation.access is Access.OPEN)


async def test_who_is_denied_is_logged_with_the_address(keyed: Served) -> None:
    with capture_logs() as lines:
        await keyed.ask("GET", "/jobs/1", headers={"Authorization": "Bearer guess"})
    assert lines[0]["remote"] == "127.0.0.1"
