"""The lists a tenant starts with: what an office sets up before its first job."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from app.simulator.state.records import CampaignRow, JobTypeRow, NamedRow, TechnicianRow, UnitRow, WindowRow
from app.simulator.state.table import Table
from app.simulator.tenant import Tenant

SET_UP_ON = datetime(2024, 3, 21, 12, 11, 54, 243511, tzinfo=UTC)


def _set_up(row_id: int) -> dict[str, Any]:
    return {"id": row_id, "created_on": SET_UP_ON, "modified_on": SET_UP_ON}


def named(entries: Mapping[int, str]) -> Table[NamedRow]:
    """A table of entries that have only a name."""
    table: Table[NamedRow] = Table()
    for row_id, name in entries.items():
        table.add(NamedRow(**_set_up(row_id), name=name), SET_UP_ON)
    return table


class Catalogue:
    """The tenant's lists, as it starts."""

    def __init__(self, tenant: Tenant) -> None:
        self.cancel_reasons = named(tenant.cancel_reasons)
        self.hold_reasons = named(tenant.hold_reasons)
        self.tag_types = named(tenant.tag_types)
        self.campaigns: Table[CampaignRow] = Table()
        for row_id, name in tenant.campaigns.items():
            is_default = row_id == min(tenant.campaigns)
            self.campaigns.add(CampaignRow(**_set_up(row_id), name=name, is_default=is_default), SET_UP_ON)
        self.business_units: Table[UnitRow] = Table()
        for row_id, unit in tenant.business_units.items():
            unit_row = UnitRow(
                **_set_up(row_id),
                name=unit.name,
                city=unit.city,
                state=unit.state,
                tenant_id=tenant.id,
                tenant_name=tenant.name,
            )
            self.business_units.add(unit_row, SET_UP_ON)
        self.arrival_windows: Table[WindowRow] = Table()
        for row_id, window in tenant.windows.items():
            window_row = WindowRow(
                **_set_up(row_id),
                start=timedelta(hours=window.start),
                duration=timedelta(hours=window.hours),
                business_unit_ids=window.units,
            )
            self.arrival_windows.add(window_row, SET_UP_ON)
        self.job_types: Table[JobTypeRow] = Table()
        for row_id, kind in tenant.job_types.items():
            self.job_types.add(
                JobTypeRow(
                    **_set_up(row_id),
                    name=kind.name,
                    minutes=kind.minutes,
                    priority=kind.priority,
                    business_unit_ids=kind.units,
                    required_fields=kind.required,
                ),
                SET_UP_ON,
            )
        self.technicians: Table[TechnicianRow] = Table()
        for row_id, (name, unit_id) in tenant.technicians.items():
            self.technicians.add(
                TechnicianRow(**_set_up(row_id), name=name, user_id=row_id + 200, business_unit_id=unit_id),
                SET_UP_ON,
            )
