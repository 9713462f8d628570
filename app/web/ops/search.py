"""Bookings: found by words and qualifiers, in pages, and as CSV."""

import base64
import binascii
import csv
import io
import re
import unicodedata
from datetime import datetime
from urllib.parse import quote
from zoneinfo import ZoneInfo

from aiohttp import web
from faust.web import Blueprint

from app.booking.report import written
from app.telemetry.masking import masked_text
from app.view.finding import MOST_BY_TEXT, Found, FoundKey, find
from app.view.queries import with_id
from app.web.envelope import Problem
from app.web.ops import asked_for, gathering, masks, words
from app.web.ops.lines import BookingLine
from app.web.ops.visit import OpsView, Visit, booking_path, go_to

api = Blueprint("ops_search")

PAGE = 50
_CSV_ROWS = 1000
_CSV_COLUMNS = (
    "booking",
    "customer",
    "state",
    "wants",
    "attempt",
    "visit",
    "visit UTC",
    "ZIP",
    "city",
    "job",
    "reason",
    "detail",
    "behind",
    "changed",
)


@api.route("/ops/bookings", name="ops_bookings")
class BookingsView(OpsView):
    """GET and POST /ops/bookings."""

    async def get(self, request: web.Request) -> web.Response:
        """By qualifiers, which are nothing personal and may stand in an address."""
        return await _list(self.visit(request), request.query.get("q", ""))

    async def post(self, request: web.Request) -> web.Response:
        """By whatever was typed: names and phone numbers stay out of addresses."""
        visit = self.visit(request)
        text = visit.field("q")
        asked = asked_for.read(text, visit.now)
        if not asked.wanted.text:
            return go_to(f"/ops/bookings?q={quote(text)}" if text else "/ops/bookings")
        named = await visit.serving.view.ask(with_id, text)
        return await _list(visit, text) if named is None else go_to(booking_path(named))


async def _list(visit: Visit, text: str) -> web.Response:
    asked = asked_for.read(text, visit.now)
    found = Found(bookings=()) if asked.wrong else await _find(visit, asked, PAGE)
    following = None if found.next_key is None else _cursor(found.next_key)
    return visit.page(
        "bookings.html",
        text=text,
        wrong=asked.wrong,
        bookings=gathering.booking_lines(visit.serving, found.bookings),
        nothing=f"Nothing matches {text}." if text else "No booking has come yet.",
        unknown=asked.unknown,
        cut=found.cut,
        csv_rows=MOST_BY_TEXT if asked.wanted.text else _CSV_ROWS,
        most=MOST_BY_TEXT,
        next=None if following is None else f"/ops/bookings?q={quote(text)}&after={following}",
        paged="after" in visit.request.query,
        private=bool(asked.wanted.text),
    )


async def _find(visit: Visit, asked: asked_for.AskedFor, limit: int) -> Found:
    after = _read_cursor(visit.request.query.get("after"))
    return await visit.serving.view.ask(find, asked.wanted, limit=limit, after=after)


@api.route("/ops/bookings.csv", name="ops_bookings_csv")
class CsvView(OpsView):
    """GET and POST /ops/bookings.csv."""

    async def get(self, request: web.Request) -> web.Response:
        """What the list shows for these qualifiers, up to 1,000 rows."""
        return await _csv(self.visit(request), request.query.get("q", ""))

    async def post(self, request: web.Request) -> web.Response:
        """The same for what was typed."""
        visit = self.visit(request)
        return await _csv(visit, visit.field("q"))


async def _csv(visit: Visit, text: str) -> web.Response:
    asked = asked_for.read(text, visit.now)
    if asked.wrong:
        raise Problem(400, "; ".join(asked.wrong))
    found = await _find(visit, asked, _CSV_ROWS)
    out = io.StringIO()
    rows = csv.writer(out)
    zone = visit.serving.settings.business.time_zone
    lines = [_row(line, zone) for line in gathering.booking_lines(visit.serving, found.bookings)]
    rows.writerow(_CSV_COLUMNS)
    rows.writerows([_as_text(line[name]) for name in _CSV_COLUMNS] for line in lines)
    more = f"-first-{len(lines)}" if found.cut or found.next_key is not None else ""
    name = {"Content-Disposition": f'attachment; filename="bookings{more}.csv"'}
    return web.Response(text=out.getvalue(), content_type="text/csv", headers=name)


def _row(line: BookingLine, zone: ZoneInfo) -> dict[str, str]:
    """Times are the business's, as `2026-03-04 09:00 MST`; beside the visit's stands the same in UTC."""
    record, said = line.record, written(line.record)
    return {
        "booking": record.booking_id,
        "customer": masks.customer(record),
        "state": words.badge(record).word,
        "wants": words.wish(record),
        "attempt": line.attempt,
        "visit": _local(line.visit, zone),
        "visit UTC": line.visit.isoformat(),
        "ZIP": str(said.get("zip") or ""),
        "city": str(said.get("city") or ""),
        "job": "" if record.job is None else record.job.number,
        "reason": " ".join(line.reasons),
        "detail": masked_text(record.waiting[0].trouble.detail) if record.waiting else "",
        "behind": str(record.lane.behind),
        "changed": _local(record.changed_at, zone),
    }


def _local(when: datetime, zone: ZoneInfo) -> str:
    return when.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")


def _as_text(cell: str) -> str:
    """A cell that begins like a formula, also once trimmed, is text: spreadsheets would work it out."""
    begins = unicodedata.normalize("NFKC", cell[:1] + cell.lstrip()[:1])
    return f"'{cell}" if set(begins) & set("=+-@\t\r\n") else cell


def _cursor(key: FoundKey) -> str:
    return base64.urlsafe_b64encode(f"{key.at}/{key.booking_id}".encode()).decode().rstrip("=")


def _read_cursor(text: str | None) -> FoundKey | None:
    if text is None:
        return None
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        plain = ""
    at, slash, booking_id = plain.partition("/")
    if not slash or not re.fullmatch(r"-?[0-9]{1,15}", at):
        raise Problem(400, "This is no page of the list. Search again.")
    return FoundKey(int(at), booking_id)
