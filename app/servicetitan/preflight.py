"""What is still missing for going live, as ServiceTitan itself tells it. Reads only.

It goes round pace and breaker: a person asks once, and wants ServiceTitan's own words.
"""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from http import HTTPStatus
from typing import TypeVar

from pydantic import ValidationError
from yarl import URL

from app.booking.business import Business
from app.booking.outcomes import Accepted
from app.booking.visits import window
from app.servicetitan.answers import http_date, problem_of
from app.servicetitan.catalogue import MOST_PAGES
from app.servicetitan.config import UpstreamConfig
from app.servicetitan.endpoints import CRM, DISPATCH, JPM, MARKETING, SETTINGS
from app.servicetitan.http import Answer, Connections, Request
from app.servicetitan.token import NoToken, Token, Tokens
from app.servicetitan.upstream import TRIES, Upstream, until_settled
from app.servicetitan.wire import PAGE_SIZE, ArrivalWindow, JobType, Named, Read, page_of

Row = TypeVar("Row", bound=Read)

CLOCKS_APART = timedelta(seconds=60)
"""How far this machine's clock may be from ServiceTitan's."""
_READ: Mapping[str, str] = {
    "tn.crm.customers:r": f"{CRM}/customers",
    "tn.crm.locations:r": f"{CRM}/locations",
    "tn.jpm.jobs:r": f"{JPM}/jobs",
    "tn.jpm.appointments:r": f"{JPM}/appointments",
    "tn.jpm.jobtypes:r": f"{JPM}/job-types",
    "tn.jpm.jobcancelreasons:r": f"{JPM}/job-cancel-reasons",
    "tn.dis.appointmentassignments:r": f"{DISPATCH}/appointment-assignments",
    "tn.dis.arrivalwindows:r": f"{DISPATCH}/arrival-windows",
    "tn.stt.businessunits:r": f"{SETTINGS}/business-units",
    "tn.mkt.campaigns:r": f"{MARKETING}/campaigns",
}
"""Each scope that reads, and what shows that it is there."""
_WRITE = (
    "tn.crm.customers:w",
    "tn.crm.locations:w",
    "tn.jpm.jobs:w",
    "tn.jpm.appointments:w",
    "tn.dis.appointmentassignments:w",
)
_TAGS = ("tn.stt.tagtypes:r", f"{SETTINGS}/tag-types")
SCOPES = (*_READ, *_WRITE)
"""Every scope that the app needs; `TAGS_SCOPE` as well where the business file names tags."""
TAGS_SCOPE = _TAGS[0]
_SERVER_FAULT = 500
_SPAN = re.compile(r"(\d{1,2}):(\d{2})(?::\d{2}(?:\.\d+)?)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at. `detail` says what was found, or what is wrong and what to do."""

    what: str
    well: bool
    detail: str


async def preflight(config: UpstreamConfig) -> AsyncIterator[Finding]:
    """Everything that ServiceTitan can be asked, the cheapest first; it ends where nothing more can be."""
    connections = Connections(config)
    tokens = Tokens(config, connections)
    try:
        token = await tokens.get()
        if isinstance(token, NoToken):
            yield Finding(what="token", well=False, detail=token.detail)
            return
        yield Finding(what="token", well=True, detail=f"serves {token.expires_in} s")
        asking = _Asking(config, connections, token)
        first = await asking.get(f"{SETTINGS}/business-units")
        well = isinstance(first, Answer)
        yield Finding(what="app key and tenant", well=well, detail="taken" if well else str(first))
        if not isinstance(first, Answer):
            return
        yield _clock(first)
        async for found in _scopes(asking, token, config.business):
            yield found
        async for found in _names(config):
            yield found
        units = await _units(asking)
        yield await _job_types(asking, config.business, units)
        yield await _slots(asking, config.business, units)
    finally:
        await tokens.close()
        await connections.close()


@dataclass(frozen=True, slots=True)
class _Refusal:
    status: int | None
    words: str

    @property
    def may_pass(self) -> bool:
        """Whether the same request may be answered a moment later."""
        return (
            self.status is None or self.status == HTTPStatus.TOO_MANY_REQUESTS or self.status >= _SERVER_FAULT
        )

    def __str__(self) -> str:
        return self.words if self.status is None else f"{self.status}: {self.words}"


@dataclass(frozen=True, slots=True)
class _Asking:
    config: UpstreamConfig
    connections: Connections
    token: Token

    async def get(self, template: str, **query: str) -> Answer | _Refusal:
        """One page of a list, of one row unless asked otherwise; asked again while ServiceTitan fails."""
        return await until_settled(
            lambda: self._once(template, query),
            lambda said: isinstance(said, Answer) or not said.may_pass,
        )

    async def rows(self, template: str, row: type[Row]) -> list[Row] | _Refusal:
        """Every row of a list, of at most `MOST_PAGES` pages."""
        found: list[Row] = []
        for number in range(1, MOST_PAGES + 1):
            said = await self.get(template, page=str(number), pageSize=str(PAGE_SIZE))
            if not isinstance(said, Answer):
                return said
            try:
                page = page_of(row)(said.body)
            except ValidationError:
                return _Refusal(said.status, f"the list cannot be read: {template}")
            found.extend(page.data)
            if not page.has_more:
                break
        return found

    async def _once(self, template: str, query: Mapping[str, str]) -> Answer | _Refusal:
        path = template.format(tenant=self.config.tenant_id)
        request = Request(
            method="GET",
            url=URL(f"{self.config.api_root}{path}").with_query({"page": "1", "pageSize": "1", **query}),
            headers={"ST-App-Key": self.config.app_key, "Authorization": f"Bearer {self.token.text}"},
            body=None,
            about_to_send=_nothing,
        )
        sent = await self.connections.send(request)
        if not isinstance(sent, Answer):
            return _Refusal(None, sent.detail)
        problem = problem_of(sent)
        return sent if problem is None else _Refusal(problem.status, problem.text)


def _nothing() -> None:
    """Nothing is to be checked before a read."""


def _clock(answer: Answer) -> Finding:
    there = http_date(answer.headers.get("Date", ""))
    if there is None:
        return Finding(what="clock", well=False, detail="ServiceTitan's answer has no Date to compare with")
    apart = datetime.now(UTC) - there
    side = "ahead of" if apart > timedelta(0) else "behind"
    text = f"{abs(apart.total_seconds()):.0f} s {side} ServiceTitan's"
    well = abs(apart) <= CLOCKS_APART
    return Finding(what="clock", well=well, detail=text if well else f"{text}: set this machine's clock")


async def _scopes(asking: _Asking, token: Token, business: Business) -> AsyncIterator[Finding]:
    tags = any(business.tags_of(word) for word in business.problems)
    for scope, path in [*_READ.items(), *([_TAGS] if tags else [])]:
        said = await asking.get(path)
        well = isinstance(said, Answer)
        yield Finding(what=f"scope {scope}", well=well, detail="reads" if well else str(said))
    for scope in _WRITE:
        well = not token.scopes or scope in token.scopes
        if not token.scopes:
            detail = "cannot be told: the token does not say its scopes"
        else:
            detail = "in the token" if well else "not in the token: add it to the app, have it approved"
        yield Finding(what=f"scope {scope}", well=well, detail=detail)


async def _names(config: UpstreamConfig) -> AsyncIterator[Finding]:
    async with Upstream(config) as upstream:
        upstream.pace.set_share(1.0)
        found = await upstream.look_at_names(tries=TRIES)
        wrong = upstream.name_complaints
    for line in wrong:
        yield Finding(what="names", well=False, detail=line)
    if not isinstance(found, Accepted):
        yield Finding(what="names", well=False, detail=found.detail)
    elif not wrong:
        number = len({(used.kind, used.name) for used in config.business.names()})
        yield Finding(what="names", well=True, detail=f"all {number} of the business file are there")


async def _units(asking: _Asking) -> Mapping[str, int] | _Refusal:
    rows = await asking.rows(f"{SETTINGS}/business-units", Named)
    return rows if isinstance(rows, _Refusal) else {row.name.strip(): row.id for row in rows}


async def _job_types(asking: _Asking, business: Business, units: Mapping[str, int] | _Refusal) -> Finding:
    what = "job types and business units"
    types = await asking.rows(f"{JPM}/job-types", JobType)
    if isinstance(types, _Refusal) or isinstance(units, _Refusal):
        return Finding(what=what, well=False, detail=str(types if isinstance(types, _Refusal) else units))
    bound = {row.name.strip(): row.business_unit_ids for row in types if row.business_unit_ids}
    wrong = [
        f"'{kind}' is not of '{unit}'"
        for kind, unit in dict.fromkeys(_pairs(business))
        if kind in bound and unit in units and units[unit] not in bound[kind]
    ]
    detail = "; ".join(wrong) if wrong else "each job type is of the units that it is booked for"
    return Finding(what=what, well=not wrong, detail=detail)


def _pairs(business: Business) -> Iterator[tuple[str, str]]:
    """Every job type with every business unit that a booking may be made for."""
    for word, problem in business.problems.items():
        kind = business.job_type_of(word)
        if problem.business_unit:
            yield kind, problem.business_unit
            continue
        yield kind, business.business_unit
        yield from ((kind, area.business_unit) for area in business.areas if area.business_unit)


async def _slots(asking: _Asking, business: Business, units: Mapping[str, int] | _Refusal) -> Finding:
    """Each slot that the site offers must be an arrival window of each business unit that is booked."""
    if not business.slots:
        return Finding(what="slots", well=True, detail="the business file names none")
    rows = await asking.rows(f"{DISPATCH}/arrival-windows", ArrivalWindow)
    if isinstance(rows, _Refusal) or isinstance(units, _Refusal):
        return Finding(what="slots", well=False, detail=str(rows if isinstance(rows, _Refusal) else units))
    there = [row for row in rows if row.active is not False]
    booked = dict.fromkeys(unit for _, unit in _pairs(business) if unit in units)
    wrong: list[str] = []
    for slot in business.slots:
        windows = [row for row in there if (_span(row.start), _span(row.duration)) == _length(slot)]
        without = [
            unit
            for unit in booked
            if not any(units[unit] in (row.business_unit_ids or (units[unit],)) for row in windows)
        ]
        if not windows:
            wrong.append(f"no arrival window of the tenant is {slot}")
        elif without:
            wrong.append(f"the arrival window {slot} is not of {', '.join(without)}")
    detail = "; ".join(wrong) or f"all {len(business.slots)} are arrival windows"
    return Finding(what="slots", well=not wrong, detail=detail)


def _span(text: str) -> timedelta | None:
    found = _SPAN.fullmatch(text)
    return None if found is None else timedelta(hours=int(found[1]), minutes=int(found[2]))


def _length(slot: str) -> tuple[timedelta, timedelta] | None:
    ends = window(slot)
    return None if ends is None else (_of_day(ends[0]), _of_day(ends[1]) - _of_day(ends[0]))


def _of_day(clock: time) -> timedelta:
    return timedelta(hours=clock.hour, minutes=clock.minute)
