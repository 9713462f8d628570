"""What an answer, or the lack of one, means: pure, and the only place where HTTP statuses are judged."""

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

import orjson

from app.booking.outcomes import Accepted, Busy, Failed, Outcome, Refused, Unsure
from app.booking.reasons import Reason
from app.servicetitan.endpoints import CREATE_CUSTOMER, Endpoint
from app.servicetitan.http import Answer, NoAnswer, NotSent, Sent

MOST_DETAIL = 4000
MOST_ERRORS = 50
MOST_OF_ONE = 500
"""Of an error's fields, and of the characters of one: what a stranger wrote is cut before it is looked at."""
LONGEST_STOP = 300.0
MOST_AHEAD = timedelta(days=1)
"""A Date farther ahead than this is no clock: what counted as done then would make all later news old."""
_GATEWAY_GAVE_UP = frozenset({408, 502, 504, *range(520, 525)})
"""Said by what stands in front of ServiceTitan (the 52x are Cloudflare's): behind it the work may go on, so
that for a write this is no answer."""
_TRY_AGAIN = re.compile(r"try again in ([0-9]{1,9}(?:\.[0-9]{1,9})?) second", re.IGNORECASE)
_RUN = r"[^\s@'\"<>]"
_EMAIL = re.compile(rf"(?<!{_RUN}){_RUN}{{1,{MOST_DETAIL}}}@{_RUN}{{1,255}}\.{_RUN}{{1,255}}")
"""It begins where a run of such characters begins: else each character of a long one would be a try."""
_PHONE = re.compile(r"\+?\(?\d(?:[\s().-]{0,5}\d){9,30}")


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as ServiceTitan words it (RFC 7807), and its status."""

    status: int
    title: str
    errors: Mapping[str, object]

    @property
    def words(self) -> str:
        """Title and errors on one line, as they came, at most 4 KB."""
        first = itertools.islice(self.errors.items(), MOST_ERRORS)
        fields = (f"{name[:MOST_OF_ONE]}: {_text(said)}" for name, said in first)
        return "; ".join((self.title or f"HTTP {self.status}", *fields))[:MOST_DETAIL]

    @property
    def text(self) -> str:
        """The words with e-mails and phone numbers masked."""
        return _PHONE.sub("[phone]", _EMAIL.sub("[e-mail]", self.words))[:MOST_DETAIL]


def problem_of(answer: Answer) -> Problem | None:
    """The error that an answer holds; None for a success.

    A 200 that carries an error object (seen in the field) is an error with the object's own status.
    """
    said = _json_object(answer.body)
    # The gateway in front of the API has a form of its own: `{statusCode, message}`.
    title = _text(said.get("title") or said.get("error") or said.get("message") or "", MOST_DETAIL)
    errors = said.get("errors")
    errors = errors if isinstance(errors, dict) else {}
    if answer.status >= 300 or answer.status < 200:
        return Problem(answer.status, title, errors)
    inner = said.get("status")
    if isinstance(inner, int) and 400 <= inner < 600 and "title" in said:
        return Problem(inner, title, errors)
    return None


def judge(endpoint: Endpoint[Any], sent: Sent, now: datetime) -> Outcome[bytes]:
    """The outcome of one call; accepted gives the body. `now` stands in for a missing Date."""
    match sent:
        case NotSent(detail=detail):
            return Failed(detail=detail)
        case NoAnswer(detail=detail):
            return Unsure(detail=detail) if endpoint.writes else Failed(detail=detail)
        case Answer():
            problem = problem_of(sent)
            if problem is None:
                return Accepted(value=sent.body, at=date_of(sent, now), http_status=sent.status)
            return _judge_problem(endpoint, problem)


def _judge_problem(endpoint: Endpoint[Any], problem: Problem) -> Outcome[bytes]:
    status, text = problem.status, problem.text
    if status == 429:
        return Busy(detail=text, http_status=status)
    if status == 403:
        return Refused(reason=Reason.NOT_PERMITTED, detail=text, http_status=status)
    if 400 <= status < 500 and status != 408:
        return Refused(reason=_reason(endpoint, problem), detail=text, http_status=status)
    if endpoint.writes and status in _GATEWAY_GAVE_UP:
        return Unsure(detail=f"HTTP {status} of a gateway: {text}")
    if endpoint.writes:
        return Unsure(detail=text, http_status=status)
    return Failed(detail=text, http_status=status)


def unreadable(endpoint: Endpoint[Any], status: int | None, why: str) -> Failed | Unsure:
    """The outcome of a success that cannot be read: a write may well have been done."""
    detail = f"the answer cannot be read: {why}"
    if endpoint.writes:
        return Unsure(detail=detail, http_status=status)
    return Failed(detail=detail, http_status=status)


def date_of(answer: Answer, now: datetime) -> datetime:
    """The upstream's own time, from the Date header; `now` when there is none to go by."""
    told = http_date(answer.headers.get("Date", ""))
    return now if told is None or told - now > MOST_AHEAD else told


@lru_cache(maxsize=8)  # all answers of a second have the same
def http_date(text: str) -> datetime | None:
    """The instant of an HTTP header such as Date; None for what is none."""
    try:
        told = parsedate_to_datetime(text)
        return told.replace(tzinfo=UTC) if told.tzinfo is None else told.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def wait_of(answer: Answer, now: datetime) -> float | None:
    """How many seconds a 429 asks to wait, in its title or by Retry-After; None when neither names any."""
    problem = problem_of(answer)
    told = _TRY_AGAIN.search(problem.title) if problem else None
    seconds = float(told[1]) if told else _retry_after(answer.headers.get("Retry-After", ""), now)
    # No wait, or one that is over, is none to go by: it would be asked again at once, and again.
    return None if seconds is None or seconds <= 0 else min(seconds, LONGEST_STOP)


def _retry_after(text: str, now: datetime) -> float | None:
    told = text.strip()
    if told.isascii() and told.isdecimal():
        return float(told)
    at = http_date(told)
    return None if at is None else (at - now).total_seconds()


def _reason(endpoint: Endpoint[Any], problem: Problem) -> Reason:
    """Which of the contract's reasons a refusal is, from its words: the vendor has no codes."""
    if not endpoint.about_customers:
        return Reason.REFUSED
    words = problem.words.lower()
    if "phone" in words:
        return Reason.PHONE_REFUSED
    if re.search(r"\b(zip|area|zone|postal)\b", words):
        return Reason.AREA_NOT_SUPPORTED
    if endpoint == CREATE_CUSTOMER and problem.status == 409:
        return Reason.CUSTOMER_CONFLICT
    if "customer" in words and re.search(r"conflict|duplicate|already exists|exists already", words):
        return Reason.CUSTOMER_CONFLICT
    return Reason.REFUSED


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def _text(said: object, most: int = MOST_OF_ONE) -> str:
    """What was said, cut; what is no text, number or list of them is not shown."""
    match said:
        case str():
            return said[:most]
        case list():
            return ", ".join(_text(each) for each in said[:MOST_ERRORS] if not isinstance(each, list))[:most]
        case int() | float():
            return str(said)[:most]
        case _:
            return ""
