"""What an office enforces besides what ServiceTitan does: whatever its lists say, and its arrival windows."""

from collections.abc import Iterable
from datetime import datetime

from app.simulator.state.world import World
from app.simulator.wire.jpm import JobCustomField

Errors = dict[str, list[str]]


def job_errors(world: World, job_type_id: int, unit_id: int, fields: Iterable[JobCustomField]) -> Errors:
    """What a job lacks for its type: the type's business units, and the custom fields that it requires."""
    kind, unit = world.catalogue.job_types.rows[job_type_id], world.catalogue.business_units.rows[unit_id]
    errors: Errors = {}
    if kind.business_unit_ids and unit_id not in kind.business_unit_ids:
        errors["jobTypeId"] = [f"Job type '{kind.name}' is not of the business unit '{unit.name}'."]
    given = {item.type_id for item in fields if item.value}
    missing = [world.tenant.custom_fields[row_id] for row_id in kind.required_fields if row_id not in given]
    if missing:
        errors["customFields"] = [f"'{name}' is required for the job type '{kind.name}'." for name in missing]
    return errors


def window_errors(
    world: World,
    unit_id: int,
    location_id: int,
    window: tuple[datetime | None, datetime | None],
    at: str = "",
) -> Errors:
    """What is wrong with an arrival window: it ends before it starts, or it is not one of the tenant's."""
    start, end = window
    if start is not None and end is not None and start > end:
        return {f"{at}arrivalWindowEnd": ["The arrival window must end after it starts."]}
    if not world.tenant.windows_enforced or (start is None and end is None):
        return {}
    zone = world.tenant.zone_of(world.locations.rows[location_id].address.zip)
    if start is not None and end is not None and _is_offered(world, unit_id, start.astimezone(zone), end):
        return {}
    unit = world.catalogue.business_units.rows[unit_id]
    return {f"{at}arrivalWindowStart": [f"It is no arrival window of the business unit '{unit.name}'."]}


def _is_offered(world: World, unit_id: int, start: datetime, end: datetime) -> bool:
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    return any(
        (start - midnight, end - start) == (row.start, row.duration)
        for row in world.catalogue.arrival_windows.in_order
        if row.active and unit_id in (row.business_unit_ids or (unit_id,))
    )
