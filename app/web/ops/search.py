"""Bookings: found by words and qualifiers, in pages, and as CSV."""

import base64
import binascii
import csv
import io
import re
import unicodedata
from urllib.parse import quote

from aiohttp import web
from faust.web import Blueprint

from app.view.finding import MOST_BY_TEXT, Found, FoundKey, find
from app.web.envelope import Problem
from app.web.ops import asked_for, gathering, masks, words
from app.web.ops.lines import BookingLine
from app.web.ops.visit import OpsView, Visit, booking_path, go_to

api = Blueprint("ops_search")

PAGE = 50
_CSV_ROWS = 1000


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
        if await visit.serving.view.booking(text) is not None:
            return go_to(booking_path(text))
        return await _list(visit, text)


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
        cut=found.cut,
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
    rows.writerow(
        ["booking", "customer", "state", "wants", "attempt", "visit", "job", "reason", "behind", "changed"]
    )
    rows.writerows(_row(line) for line in gathering.booking_lines(visit.serving, found.bookings))
    name = {"Content-Disposition": 'attachment; filename="bookings.csv"'}
    return web.Response(text=out.getvalue(), content_type="text/csv", headers=name)


def _row(line: BookingLine) -> list[str]:
    record = line.record
    cells = [
        record.booking_id,
        masks.customer(record),
        words.badge(record).word,
        words.wish(record),
        line.attempt,
        line.visit.isoformat(),
        "" if record.job is None else record.job.number,
        " ".join(line.reasons),
        str(record.lane.behind),
        record.changed_at.isoformat(),
    ]
    return [_as_text(cell) for cell in cells]


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
