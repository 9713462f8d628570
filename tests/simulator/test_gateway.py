"""Tokens, keys, limits, and the seed's delays and failures."""

from itertools import count

import aiohttp
import pytest

from app.simulator.server import RunningSimulator
from tests.simulator.conftest import Start
from tests.support.simulated import Caller, Json


async def test_a_token_is_asked_for_with_a_form(caller: Caller) -> None:
    answer = await caller.token()
    assert answer.status == 200
    body = answer.json
    assert (body["expires_in"], body["token_type"]) == (900, "Bearer")
    assert set(body) == {"access_token", "expires_in", "token_type", "scope"}
    refused = await caller.send("POST", "/connect/token", json={"grant_type": "client_credentials"})
    assert (refused.status, refused.json) == (400, {"error": "invalid_request"})


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_secret": "invalid_key"}, "invalid_client"),
        ({"client_id": "invalid_key"}, "invalid_client"),
        ({"client_secret": "cs1.test\n"}, "invalid_client"),
        ({"client_id": ""}, "invalid_client"),
        ({"tenant": "invalid_tenant"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": ""}, "invalid_request"),
    ],
)
async def test_bad_credentials_are_told_by_their_error(
    caller: Caller, changes: dict[str, str], error: str
) -> None:
    answer = await caller.token(**changes)
    assert (answer.status, answer.json) == (400, {"error": error})


@pytest.mark.parametrize("scheme", ["", "Bearer "])
async def test_a_token_is_good_bare_or_as_bearer(caller: Caller, scheme: str) -> None:
    token = caller.headers["Authorization"].removeprefix("Bearer ")
    caller.headers["Authorization"] = scheme + token
    assert (await caller.call("GET", "jpm/jobs")).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer made-up"},
        {"Authorization": ""},
        {"ST-App-Key": "invalid_key"},
        {"ST-App-Key": ""},
    ],
)
async def test_without_good_token_and_key_nothing_is_answered(
    caller: Caller, headers: dict[str, str]
) -> None:
    caller.headers |= headers
    answer = await caller.call("GET", "jpm/jobs")
    assert answer.status == 401
    assert answer.json["errors"]["id"]


async def test_the_app_key_may_come_as_a_parameter(caller: Caller) -> None:
    del caller.headers["ST-App-Key"]
    assert (await caller.call("GET", "jpm/jobs", servicetitanapplicationkey="ak1.x")).status == 200


async def test_the_invalid_tenant_is_not_let_in(caller: Caller) -> None:
    answer = await caller.send("GET", "/jpm/v2/tenant/invalid_tenant/jobs", headers=caller.headers)
    assert answer.status == 401


async def test_a_revoked_token_is_refused_and_a_new_one_is_not(caller: Caller) -> None:
    assert (await caller.control("POST", "tokens/revoke"))["revoked"] == 1
    assert (await caller.call("GET", "jpm/jobs")).status == 401
    await caller.sign_in()
    assert (await caller.call("GET", "jpm/jobs")).status == 200


async def test_over_the_limit_the_wait_is_in_title_and_header(
    start_simulator: Start, session: aiohttp.ClientSession
) -> None:
    seconds = count(1_000, 0)
    simulator = await start_simulator(calls_per_second=3, monotonic=lambda: float(next(seconds)))
    caller = Caller(simulator, session)
    await caller.sign_in()
    answers = [await caller.call("GET", "jpm/jobs") for _ in range(5)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
    assert answers[3].json["title"] == "Rate limit is exceeded. Try again in 1 seconds."
    assert answers[3].headers["Retry-After"] == "1"
    stats = await caller.control("GET", "stats")
    assert (stats["tooMany"], stats["byStatus"]["429"], stats["maxCallsInASecond"]) == (2, 2, 5)


async def test_tokens_have_a_limit_of_their_own(
    start_simulator: Start, session: aiohttp.ClientSession
) -> None:
    simulator = await start_simulator(token_calls_per_second=2, monotonic=lambda: 5.0)
    caller = Caller(simulator, session)
    assert [(await caller.token()).status for _ in range(3)] == [200, 200, 429]
    assert (await caller.token(client_id="cid.other")).status == 200


async def test_a_seed_repeats_a_run(start_simulator: Start, session: aiohttp.ClientSession) -> None:
    async def run(seed: int) -> list[Json]:
        caller = Caller(await start_simulator(seed=seed, failure_rate=0.3), session)
        await caller.sign_in()
        return [(await caller.call("GET", "jpm/job-types")).status for _ in range(60)]

    first, again, other = await run(7), await run(7), await run(8)
    assert first == again
    assert first != other
    assert {200, 500} == set(first)


async def test_the_seeds_delays_are_waited_for(
    start_simulator: Start, session: aiohttp.ClientSession
) -> None:
    caller = Caller(await start_simulator(delays="seed"), session)
    await caller.sign_in()
    await caller.get("jpm/job-types")
    calls = (await caller.control("GET", "calls"))["calls"]
    assert [call["ms"] >= least for call, least in zip(calls, (195, 295), strict=True)] == [True, True]


async def test_a_taken_port_is_an_error(start_simulator: Start, simulator: RunningSimulator) -> None:
    with pytest.raises(OSError, match="address"):
        await start_simulator(port=int(simulator.url.rpartition(":")[2]))
