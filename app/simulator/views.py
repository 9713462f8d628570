"""Rows as ServiceTitan shows them: from the state's records to the wire's models."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from app.simulator.state import external
from app.simulator.state.people import phone_key
from app.simulator.state.records import (
    OFFICE_USER,
    AppointmentRow,
    AssignmentRow,
    BookingRow,
    CampaignRow,
    CancellationRow,
    ContactRow,
    CustomerRow,
    HistoryRow,
    JobRow,
    JobTypeRow,
    LocationRow,
    NamedRow,
    NoteRow,
    TechnicianRow,
    UnitRow,
    WindowRow,
)
from app.simulator.state.world import World
from app.simulator.wire import crm, jpm, office


def job(world: World, row: JobRow, guid: str | None) -> jpm.Job:
    """A job as read; external data only under the GUID that was asked for."""
    return jpm.Job(**_job(world, row, guid))


def exported_job(world: World, row: JobRow, guid: str | None) -> jpm.ExportedJob:
    """A job as exported."""
    return jpm.ExportedJob(**_job(world, row, guid), active=row.active)


def _job(world: World, row: JobRow, guid: str | None) -> dict[str, Any]:
    visits = world.appointments_of(row)
    return {
        "id": row.id,
        "job_number": row.number,
        "project_id": row.project_id,
        "customer_id": row.customer_id,
        "location_id": row.location_id,
        "job_status": row.status,
        "completed_on": row.completed_on,
        "business_unit_id": row.business_unit_id,
        "job_type_id": row.job_type_id,
        "priority": row.priority,
        "campaign_id": row.campaign_id,
        "summary": row.summary,
        "custom_fields": tuple(
            item.model_copy(update={"name": item.name or f"Custom field {item.type_id}"})
            for item in row.custom_fields
        ),
        "appointment_count": len(visits),
        "first_appointment_id": visits[0].id,
        "last_appointment_id": visits[-1].id,
        "job_generated_lead_source": row.lead_source,
        "created_on": row.created_on,
        "created_by_id": OFFICE_USER,
        "modified_on": row.modified_on,
        "tag_type_ids": row.tag_type_ids,
        "partner_lead_call_id": row.partner_lead_call_id,
        "booking_id": row.booking_id,
        "sold_by_id": row.sold_by_id,
        "customer_po": row.customer_po,
        "invoice_id": row.invoice_id,
        "total": 0.0,
        "external_data": external.shown(row.external, guid),
    }


def canceled_log(row: JobRow, entry: CancellationRow) -> jpm.CanceledLog:
    """One cancellation of a job."""
    return jpm.CanceledLog(
        id=entry.id,
        job_id=row.id,
        reason_id=entry.reason_id,
        memo=entry.memo,
        created_on=entry.created_on,
        created_by_id=OFFICE_USER,
        active=entry.active,
    )


def cancel_reason(world: World, row: JobRow, entry: CancellationRow) -> jpm.JobCancelReason:
    """Why a job was cancelled."""
    reason = world.catalogue.cancel_reasons.rows[entry.reason_id]
    return jpm.JobCancelReason(job_id=row.id, reason_id=reason.id, name=reason.name, text=entry.memo)


def booked_log(row: AppointmentRow) -> jpm.BookedLog:
    """The booking of an appointment."""
    return jpm.BookedLog(
        id=row.id,
        job_id=row.job_id,
        job_appointment_id=row.id,
        start=row.start,
        arrival_window_start=row.arrival_window_start,
        arrival_window_end=row.arrival_window_end,
        created_on=row.created_on,
        created_by_id=OFFICE_USER,
        active=row.active,
    )


def history(rows: Iterable[HistoryRow]) -> tuple[jpm.HistoryEntry, ...]:
    """What happened to a job."""
    return tuple(
        jpm.HistoryEntry(
            id=row.id, employee_id=OFFICE_USER, event_type=row.event_type, date=row.date, memo=row.memo
        )
        for row in rows
    )


def note(row: NoteRow) -> jpm.Note:
    """A note of a job."""
    return jpm.Note(
        text=row.text,
        is_pinned=row.is_pinned,
        created_by_id=OFFICE_USER,
        created_on=row.created_on,
        modified_on=row.created_on,
    )


def appointment(row: AppointmentRow) -> jpm.Appointment:
    """An appointment as read."""
    return jpm.Appointment(
        **_appointment(row),
        customer_id=row.customer_id,
        unused=row.unused,
        created_by_id=OFFICE_USER,
        is_confirmed=row.is_confirmed,
        active=row.active,
    )


def assigned_appointment(row: AppointmentRow) -> jpm.AssignedAppointment:
    """An appointment as dispatch answers it: the first eleven fields."""
    return jpm.AssignedAppointment(**_appointment(row))


def _appointment(row: AppointmentRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "job_id": row.job_id,
        "appointment_number": row.number,
        "start": row.start,
        "end": row.end,
        "arrival_window_start": row.arrival_window_start,
        "arrival_window_end": row.arrival_window_end,
        "status": row.status,
        "special_instructions": row.special_instructions,
        "created_on": row.created_on,
        "modified_on": row.modified_on,
    }


def assignment(world: World, row: AssignmentRow) -> office.Assignment:
    """A technician on an appointment."""
    return office.Assignment(
        id=row.id,
        technician_id=row.technician_id,
        technician_name=world.catalogue.technicians.rows[row.technician_id].name,
        assigned_by_id=OFFICE_USER,
        assigned_on=row.created_on,
        status=row.status,
        job_id=row.job_id,
        appointment_id=row.appointment_id,
        created_on=row.created_on,
        modified_on=row.modified_on,
        active=row.active,
    )


def customer(row: CustomerRow, guid: str | None) -> crm.Customer:
    """A customer as read."""
    return crm.Customer(**_customer(row, guid))


def created_customer(world: World, row: CustomerRow, guid: str | None) -> crm.CreatedCustomer:
    """A customer as its creation answers it: with locations and contacts."""
    places = (world.locations.rows[row_id] for row_id in row.location_ids)
    return crm.CreatedCustomer(
        **_customer(row, guid),
        locations=tuple(created_location(place, guid) for place in places),
        contacts=tuple(_created_contact(item) for item in row.contacts),
    )


def _customer(row: CustomerRow, guid: str | None) -> dict[str, Any]:
    return {
        "id": row.id,
        "active": row.active,
        "name": row.name,
        "type": row.type,
        "address": row.address,
        "custom_fields": _custom_fields(row.custom_fields),
        "tax_exempt": row.tax_exempt,
        "tag_type_ids": row.tag_type_ids,
        "do_not_mail": row.do_not_mail,
        "do_not_service": row.do_not_service,
        "national_account": row.national_account,
        "created_on": row.created_on,
        "created_by_id": OFFICE_USER,
        "modified_on": row.modified_on,
        "payment_term_id": row.payment_term_id,
        "credit_limit": row.credit_limit,
        "credit_limit_balance": row.credit_limit_balance,
        "external_data": external.shown(row.external, guid),
    }


def location(row: LocationRow, guid: str | None) -> crm.Location:
    """A location as read."""
    return crm.Location(**_location(row, guid))


def created_location(row: LocationRow, guid: str | None) -> crm.CreatedLocation:
    """A location as its creation answers it: with contacts."""
    return crm.CreatedLocation(
        **_location(row, guid), contacts=tuple(_created_contact(item) for item in row.contacts)
    )


def _location(row: LocationRow, guid: str | None) -> dict[str, Any]:
    return {
        "id": row.id,
        "customer_id": row.customer_id,
        "active": row.active,
        "name": row.name,
        "address": row.address,
        "custom_fields": _custom_fields(row.custom_fields),
        "created_on": row.created_on,
        "created_by_id": OFFICE_USER,
        "modified_on": row.modified_on,
        "tag_type_ids": row.tag_type_ids,
        "external_data": external.shown(row.external, guid),
    }


def _custom_fields(items: Iterable[crm.CustomFieldRequest]) -> tuple[crm.CustomField, ...]:
    return tuple(
        crm.CustomField(type_id=item.type_id, name=f"Custom field {item.type_id}", value=item.value)
        for item in items
    )


def _created_contact(row: ContactRow) -> crm.CreatedContact:
    return crm.CreatedContact(id=row.id, type=row.type, value=row.value, memo=row.memo)


def contact(row: ContactRow) -> crm.Contact:
    """A contact of a customer."""
    return crm.Contact(**_contact(row))


def customer_contact(customer_id: int, row: ContactRow) -> crm.CustomerContact:
    """A contact that names its customer."""
    return crm.CustomerContact(**_contact(row), customer_id=customer_id)


def _contact(row: ContactRow) -> dict[str, Any]:
    number = "" if row.type is crm.ContactType.EMAIL else phone_key(row.value)
    return {
        "id": row.id,
        "type": row.type,
        "value": row.value,
        "memo": row.memo,
        "modified_on": row.modified_on,
        "created_on": row.created_on,
        "phone_settings": crm.PhoneSettings(phone_number=number),
        "preferences": crm.ContactPreferences(),
    }


def booking(row: BookingRow) -> crm.Booking:
    """A booking of the inbox."""
    asked = row.request.model_dump(exclude={"contacts"})
    return crm.Booking(
        **{**asked, "start": row.request.start or row.created_on},
        id=row.id,
        created_on=row.created_on,
        modified_on=row.modified_on,
        status=row.status,
        dismissing_reason_id=row.dismissing_reason_id,
        booking_provider_id=row.provider_id,
    )


def reason(row: NamedRow) -> jpm.JobReason:
    """A reason to cancel or hold a job."""
    return jpm.JobReason(**_named(row))


def job_type(row: JobTypeRow) -> jpm.JobType:
    """A kind of job."""
    return jpm.JobType(
        **_named(row),
        priority=row.priority,
        duration=row.minutes * 60,
        business_unit_ids=row.business_unit_ids,
    )


def tag_type(row: NamedRow) -> office.TagType:
    """A kind of tag."""
    return office.TagType(**_named(row), code=row.name.upper()[:20])


def arrival_window(row: WindowRow) -> office.ArrivalWindow:
    """An arrival window."""
    return office.ArrivalWindow(
        id=row.id,
        start=_time_span(row.start),
        duration=_time_span(row.duration),
        business_unit_ids=row.business_unit_ids,
        active=row.active,
    )


def _time_span(length: timedelta) -> str:
    minutes = int(length.total_seconds()) // 60
    return f"{minutes // 60:02}:{minutes % 60:02}:00"


def business_unit(row: UnitRow) -> office.BusinessUnit:
    """A business unit."""
    return office.BusinessUnit(
        **_named(row),
        official_name=row.name.replace("_", " "),
        currency="USD",
        address=office.BusinessUnitAddress(city=row.city, state=row.state, country="USA"),
        tenant=office.BusinessUnitTenant(id=row.tenant_id, name=row.tenant_name, modified_on=row.modified_on),
    )


def technician(row: TechnicianRow) -> office.Technician:
    """A technician."""
    return office.Technician(
        **_named(row),
        user_id=row.user_id,
        business_unit_id=row.business_unit_id,
        status=row.status,
        appoitment_id=row.appointment_id,
    )


def campaign(row: CampaignRow) -> office.Campaign:
    """A marketing campaign."""
    return office.Campaign(
        **_named(row),
        category=office.CampaignCategory(id=391, name="Marketing"),
        is_default_campaign=row.is_default,
        campaign_phone_numbers=(),
    )


def _named(row: NamedRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "active": row.active,
        "created_on": row.created_on,
        "modified_on": row.modified_on,
    }
