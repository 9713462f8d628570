"""What the view is told, as plain values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from app.booking.business import Business

FILE_NAME = "view.sqlite3"


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewTopics:
    """The full names of the topics that the view follows; the first two are changelogs."""

    bookings: str
    behind: str
    dead_letters: str
    signals: str
    webhooks: str

    def __iter__(self) -> Iterator[str]:
        """All of them, the changelogs first."""
        return iter((self.bookings, self.behind, self.dead_letters, self.signals, self.webhooks))


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewConfig:
    """`connection` are aiokafka's arguments of one connection; `data_dir` is the worker's own folder."""

    connection: Mapping[str, Any] = field(repr=False)
    data_dir: Path
    prefix: str
    topics: ViewTopics
    partitions: int
    business: Business
    """For the time of a visit that has no job yet."""
    far_behind: timedelta = timedelta(seconds=10)
    """From when on answers would be too old to give."""
    keep_events: timedelta = timedelta(days=30)
    """How long dead letters, actions and webhooks are shown: as long as their topics keep them."""
    forget_after: timedelta = timedelta(hours=12)
    """A file that was not written for this long is rebuilt: tombstones may be gone from the log (a day)."""
    batch: int = 2000
    """Records of one transaction at most."""

    @property
    def path(self) -> Path:
        """The database."""
        return self.data_dir / FILE_NAME
