"""The page's templates: everything that comes from outside is escaped."""

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.booking.reasons import EXPLANATIONS
from app.telemetry.masking import masked_text
from app.view.columns import is_over
from app.view.turned_away import place_of
from app.web.ops import masks, timeline, words
from app.web.ops.lines import what

_WEB = Path(__file__).parents[1]
STATIC = _WEB / "static"


def _path(text: str) -> str:
    return quote(text, safe="")


def _static(name: str) -> str:
    """The address of a static file; it changes with the file, so that browsers may keep it."""
    return f"/ops/static/{name}?{hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_WEB / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(path=_path, masked=masked_text, what=what)
    names = ("style.css", "live.js", "idiomorph.min.js", "icon.svg")
    made.globals.update(
        static={name: _static(name) for name in names},
        reasons={reason.value: explained for reason, explained in EXPLANATIONS.items()},
        badge=words.badge,
        became=timeline.became,
        wish=words.wish,
        is_over=is_over,
        waits_for_servicetitan=words.waits_for_servicetitan,
        span=words.span,
        outcome_tone=timeline.tone,
        customer=masks.customer,
        place_of=place_of,
        stood_at=timeline.stood_at,
    )
    return made


_ENVIRONMENT = _environment()


def render(template: str, **context: Any) -> str:  # noqa: ANN401 - a template's own
    """The text of a template."""
    parts = _ENVIRONMENT.get_template("parts.html").make_module(context)
    return _ENVIRONMENT.get_template(template).render(context, parts=parts)
