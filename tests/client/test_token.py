"""One token for all, fetched as seldom as can be."""

import asyncio
import time

import pytest

from app.booking.asks import FindJob
from app.servicetitan.breaker import State, Trouble
from app.servicetitan.caller import CallMade
from app.servicetitan.http import Connections
from app.servicetitan.token import LONGEST_LIFE, TEST_AGAIN, NoToken, Token, Tokens
from app.servicetitan.upstream import Upstream
from app.simulator.faults import FaultKind, FaultRequest
from app.simulator.server import RunningSimulator
from tests.client.conftest import MakeUpstream, config_of
from tests.client.orders import asker, value_of

TOKEN_ROUTE = "POST /connect/token"


def fetches(simulator: RunningSimulator) -> int:
    return simulator.state.journal.by_route[TOKEN_ROUTE]


async def find(upstream: Upstream, booking_id: str = "b1") -> None:
    value_of(await upstream.desk.perform(FindJob(booking_id=booking_id), asker(booking_id)))


async def test_many_calls_at_once_fetch_one_token(upstream: Upstream, simulator: RunningSimulator) -> None:
    await asyncio.gather(*(find(upstream, f"b{n}") for n in range(20)))
    assert fetches(simulator) == 1


async def test_a_revoked_token_is_fetched_again_once(
    upstream: Upstream, simulator: RunningSimulator, calls: list[CallMade]
) -> None:
    await find(upstream)
    simulator.state.tokens.revoke()
    calls.clear()
    await asyncio.gather(*(find(upstream, f"b{n}") for n in range(10)))
    assert fetches(simulator) == 2
    assert sorted({call.http_status for call in calls if call.http_status}) == [200, 401]


async def test_the_age_of_the_token_is_told(make_upstream: MakeUpstream) -> None:
    ahead = [0.0]
    upstream = make_upstream(clock=lambda: time.monotonic() + ahead[0])
    assert upstream.token_age is None
    await upstream.auth_test()
    ahead[0] = 60.0
    assert upstream.token_age == pytest.approx((60.0, 840.0), abs=30.0)
    ahead[0] = 900.0
    assert upstream.token_age is None


async def test_a_token_is_refreshed_before_its_end_and_nobody_waits(
    make_upstream: MakeUpstream, simulator: RunningSimulator
) -> None:
    class Ahead:
        seconds = 0.0

        def __call__(self) -> float:
            return asyncio.get_running_loop().time() + self.seconds

    ahead = Ahead()
    upstream = make_upstream(clock=ahead)
    await find(upstream)
    ahead.seconds = 845.0
    await find(upstream)
    async with asyncio.timeout(20):
        while fetches(simulator) < 2:
            await asyncio.sleep(0.01)
    ahead.seconds = 1000.0
    await find(upstream)
    assert fetches(simulator) == 2


async def test_credentials_that_are_not_taken_are_nobodys_fault(
    make_upstream: MakeUpstream, simulator: RunningSimulator
) -> None:
    upstream = make_upstream(client_secret="invalid_key")
    asking = asyncio.create_task(find(upstream))
    async with asyncio.timeout(20):
        while fetches(simulator) < 3:
            await asyncio.sleep(0.01)
    assert not asking.done()
    seen = upstream.gate.snapshot()
    assert seen.trouble is Trouble.AUTHENTICATION
    assert "invalid_client" in seen.why
    assert "invalid_key" not in seen.why
    asking.cancel()
    await asyncio.wait([asking])
    assert simulator.state.journal.total == fetches(simulator)


async def test_a_fresh_token_that_is_not_taken_shuts_the_gate_until_one_is(
    upstream: Upstream, simulator: RunningSimulator
) -> None:
    simulator.state.faults.add(FaultRequest(kind=FaultKind.UNAUTHORIZED, count=4), 0.0)
    asking = asyncio.create_task(find(upstream))
    async with asyncio.timeout(20):
        while upstream.gate.trouble is not Trouble.AUTHENTICATION:
            await asyncio.sleep(0)
        await asking
    assert upstream.gate.trouble is None


async def test_a_token_endpoint_that_is_down_is_waited_for(
    upstream: Upstream, simulator: RunningSimulator
) -> None:
    simulator.state.faults.add(FaultRequest(kind=FaultKind.ERROR_BEFORE, path="/connect/token", count=3), 0.0)
    async with asyncio.timeout(20):
        await find(upstream)
    assert fetches(simulator) == 4


async def test_a_person_may_test_the_credentials(make_upstream: MakeUpstream) -> None:
    good = await make_upstream().auth_test()
    assert isinstance(good, Token)
    assert good.expires_in == 900
    assert good.text not in repr(good)
    bad = await make_upstream(client_id="invalid_key").auth_test()
    assert bad == NoToken(detail="no token: invalid_client", denied=True, http_status=400)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"app_key": "invalid_key"}, "Invalid application key; id: The ST-App-Key is not valid."),
        ({"tenant_id": "invalid_tenant"}, "Invalid tenant; id: The tenant is not valid."),
    ],
)
async def test_a_person_is_told_in_servicetitans_words_what_a_token_does_not_show(
    make_upstream: MakeUpstream, calls: list[CallMade], wrong: dict[str, str], words: str
) -> None:
    upstream = make_upstream(first_pause=1000.0, longest_pause=1000.0, **wrong)
    said = await upstream.auth_test()
    assert isinstance(said, NoToken)
    assert said.detail.endswith(f"401 with a fresh token: {words}")
    # Asked again, also once the breaker is open, nothing more is called and the same is told.
    made = len(calls)
    assert await upstream.auth_test() == said
    assert (await upstream.check_health()).detail == said.detail
    assert len(calls) == made


async def test_health_is_a_token_and_one_cheap_read(
    upstream: Upstream, simulator: RunningSimulator, calls: list[CallMade]
) -> None:
    assert (await upstream.check_health()).well
    assert len(calls) == 1
    simulator.state.faults.add(FaultRequest(kind=FaultKind.ERROR_BEFORE, count=1), 0.0)
    seen = await upstream.check_health()
    assert not seen.well
    assert "SIMULATION" in seen.detail
    assert len(calls) == 2


async def test_health_makes_no_call_while_the_gate_is_shut(
    make_upstream: MakeUpstream, calls: list[CallMade]
) -> None:
    upstream = make_upstream(first_pause=1000.0, longest_pause=1000.0)
    upstream.gate.breaker.no_token(Trouble.OUTAGE, asyncio.get_running_loop().time(), "down")
    seen = await upstream.check_health()
    assert (seen.well, seen.detail) == (False, "down")
    assert calls == []


async def test_health_that_is_given_up_while_it_probes_lets_another_probe(
    upstream: Upstream, simulator: RunningSimulator
) -> None:
    slow = simulator.state.faults.add(FaultRequest(kind=FaultKind.SLOW, seconds=60, count=1), 0.0)
    upstream.gate.breaker.no_token(Trouble.OUTAGE, 0.0, "down")
    asking = asyncio.create_task(upstream.check_health())
    async with asyncio.timeout(20):
        while not slow.is_spent(0.0):
            await asyncio.sleep(0.01)
    assert upstream.gate.snapshot().state is State.HALF_OPEN
    asking.cancel()
    await asyncio.wait([asking])
    async with asyncio.timeout(20):
        await find(upstream)


async def test_who_tests_the_credentials_cannot_burn_the_allowances(
    make_upstream: MakeUpstream, simulator: RunningSimulator, calls: list[CallMade]
) -> None:
    ahead = [0.0]
    upstream = make_upstream(clock=lambda: time.monotonic() + ahead[0])
    for _ in range(2):
        tested = await asyncio.gather(*(upstream.auth_test() for _ in range(150)))
        assert all(isinstance(token, Token) for token in tested)
    assert (fetches(simulator), len(calls)) == (1, 1)
    ahead[0] = TEST_AGAIN
    await upstream.auth_test()
    assert (fetches(simulator), len(calls)) == (2, 2)


async def test_a_wrong_secret_is_not_asked_about_again_and_again_either(
    make_upstream: MakeUpstream, simulator: RunningSimulator
) -> None:
    upstream = make_upstream(client_id="invalid_key")
    for _ in range(20):
        assert isinstance(await upstream.auth_test(), NoToken)
    assert fetches(simulator) == 1


class TokenServer:
    """Answers each token request with the same body."""

    def __init__(self, body: bytes) -> None:
        self.head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body)
        self.body = body

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self.head + self.body)
        await writer.drain()
        writer.close()


@pytest.mark.parametrize(
    ("token", "life", "works"),
    [
        ("good", "9" * 400, True),
        ("a\\r\\nX-Other: b", "900", False),
        ("a\\u0000b", "900", False),
        ("a" * 300_000, "900", False),
        ("t\\u00e9", "900", False),
        ("", "900", False),
        ("good", "0", False),
        ("good", "-5", False),
        ("good", "1e999", False),
    ],
)
async def test_a_token_that_cannot_be_used_is_none(
    simulator: RunningSimulator, token: str, life: str, *, works: bool
) -> None:
    server = TokenServer(f'{{"access_token": "{token}", "expires_in": {life}}}'.encode())
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        config = config_of(simulator, auth_url=f"http://127.0.0.1:{port}")
        connections = Connections(config)
        said = await Tokens(config, connections).get()
        await connections.close()
    assert isinstance(said, Token) == works
    if isinstance(said, Token):
        assert said.expires_in == LONGEST_LIFE
