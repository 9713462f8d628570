"""The lists a tenant starts with: what an office sets up before its first job. Ids below 1001."""

from datetime import UTC, datetime, timedelta

from app.simulator.state.records import JobTypeRow, NamedRow, TechnicianRow, WindowRow
from app.simulator.state.table import Table
from app.simulator.wire.jpm import Priority

SET_UP_ON = datetime(2024, 3, 21, 12, 11, 54, 243511, tzinfo=UTC)

_BUSINESS_UNITS = {101: "Phoenix_Metro", 102: "Phoenix_Central", 103: "Scottsdale_North", 104: "Mesa_East"}
_CAMPAIGNS = {301: "Website", 302: "Google Ads", 303: "Referral"}
_CANCEL_REASONS = {
    401: "Customer Request",
    402: "Booked by Mistake",
    403: "Out of Service Area",
    404: "No Show",
}
_HOLD_REASONS = {451: "Waiting for Parts", 452: "Customer Not Available", 453: "Weather"}
_TAG_TYPES = {601: "Online booking", 602: "Spring", 603: "Warranty"}
_WINDOWS = {701: 8, 702: 10, 703: 12, 704: 14}
_JOB_TYPES = {
    201: ("Garage Door Service", 90, Priority.NORMAL),
    202: ("Broken Spring", 120, Priority.HIGH),
    203: ("Door Won't Open", 90, Priority.NORMAL),
    204: ("Door Won't Close", 90, Priority.HIGH),
    205: ("Door Stuck Closed", 60, Priority.HIGH),
    206: ("Noisy Door", 60, Priority.NORMAL),
    207: ("Remote Not Working", 30, Priority.NORMAL),
    208: ("New Door Installation", 240, Priority.NORMAL),
}
_TECHNICIANS = {
    501: ("Alma Ortiz", 101),
    502: ("Ben Whitaker", 101),
    503: ("Carla Nguyen", 102),
    504: ("Dale Yazzie", 102),
    505: ("Erin Fuller", 103),
    506: ("Felix Romero", 103),
    507: ("Grace Kim", 104),
    508: ("Hector Salas", 104),
}


def named(entries: dict[int, str]) -> Table[NamedRow]:
    """A table of entries that have only a name."""
    table: Table[NamedRow] = Table()
    for row_id, name in entries.items():
        table.add(NamedRow(id=row_id, name=name, created_on=SET_UP_ON, modified_on=SET_UP_ON), SET_UP_ON)
    return table


class Catalogue:
    """The tenant's lists, as it starts."""

    def __init__(self) -> None:
        self.business_units = named(_BUSINESS_UNITS)
        self.campaigns = named(_CAMPAIGNS)
        self.cancel_reasons = named(_CANCEL_REASONS)
        self.hold_reasons = named(_HOLD_REASONS)
        self.tag_types = named(_TAG_TYPES)
        self.arrival_windows: Table[WindowRow] = Table()
        for row_id, hour in _WINDOWS.items():
            self.arrival_windows.add(
                WindowRow(
                    id=row_id,
                    start=timedelta(hours=hour),
                    duration=timedelta(hours=2),
                    created_on=SET_UP_ON,
                    modified_on=SET_UP_ON,
                ),
                SET_UP_ON,
            )
        self.job_types: Table[JobTypeRow] = Table()
        for row_id, (name, minutes, priority) in _JOB_TYPES.items():
            self.job_types.add(
                JobTypeRow(
                    id=row_id,
                    name=name,
                    minutes=minutes,
                    priority=priority,
                    created_on=SET_UP_ON,
                    modified_on=SET_UP_ON,
                ),
                SET_UP_ON,
            )
        self.technicians: Table[TechnicianRow] = Table()
        for row_id, (name, unit) in _TECHNICIANS.items():
            self.technicians.add(
                TechnicianRow(
                    id=row_id,
                    name=name,
                    user_id=row_id + 200,
                    business_unit_id=unit,
                    created_on=SET_UP_ON,
                    modified_on=SET_UP_ON,
                ),
                SET_UP_ON,
            )
