"""What a tenant is: its lists, its rules, and who is there before the first booking comes. A value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from app.simulator.faults import FaultRequest
from app.simulator.state.records import Refusal
from app.simulator.wire.jpm import Priority


@dataclass(frozen=True, slots=True)
class Unit:
    """A business unit, and where it is."""

    name: str
    city: str = "Phoenix"
    state: str = "AZ"


@dataclass(frozen=True, slots=True)
class Window:
    """An arrival window, in hours of the day; of every business unit unless some are named."""

    start: int
    hours: int
    units: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """A job type; of every business unit unless some are named. `required` are custom fields, by id."""

    name: str
    minutes: int
    priority: Priority
    units: tuple[int, ...] = ()
    required: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Stranger:
    """A customer that the office made, with `jobs` jobs of its own and `(city, state, zip)` as the place."""

    name: str
    phone: str
    street: str
    place: tuple[str, str, str]
    unit: int
    kind: int
    jobs: int = 1
    do_not_service: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """One tenant of ServiceTitan. Lists are by id, all below 1001.

    `job_number` is how a job's number is made of its id. With `windows_enforced` an arrival window has to be
    one of the tenant's, in the time of the door's place: `zones` by how the ZIP begins, else `time_zone`.
    `without_campaign` is the status for a job without one. The refusals are those of
    what stands in front of the API. `faults` are in force from the start where anything is to go wrong.
    """

    id: int
    name: str
    business_units: Mapping[int, Unit]
    job_types: Mapping[int, Kind]
    campaigns: Mapping[int, str]
    cancel_reasons: Mapping[int, str]
    hold_reasons: Mapping[int, str]
    tag_types: Mapping[int, str]
    windows: Mapping[int, Window]
    technicians: Mapping[int, tuple[str, int]]
    custom_fields: Mapping[int, str] = field(default_factory=dict)
    job_number: str = "JOB-{:06d}"
    windows_enforced: bool = False
    time_zone: str = "America/Phoenix"
    zones: Mapping[str, str] = field(default_factory=dict)
    without_campaign: int = 400
    no_app_key: Refusal
    no_tenant: Refusal
    unknown_path: Refusal
    strangers: tuple[Stranger, ...] = ()
    faults: tuple[FaultRequest, ...] = ()

    def zone_of(self, zip_code: str | None) -> ZoneInfo:
        """The time zone of a ZIP."""
        found = (zone for begins, zone in self.zones.items() if (zip_code or "").startswith(begins))
        return ZoneInfo(next(found, self.time_zone))
