"""The `settings`, `dispatch` and `marketing` modules: what the office keeps beside the jobs."""

from enum import StrEnum

from pydantic import Field

from app.simulator.wire.base import Wire
from app.simulator.wire.dates import Instant
from app.simulator.wire.envelope import ExternalData, Named


class TechnicianStatus(StrEnum):
    """What a technician does now."""

    IDLE = "Idle"
    DISPATCHED = "Dispatched"
    WORKING = "Working"
    MEAL = "Meal"


class AssignmentStatus(StrEnum):
    """How far a technician is with an appointment."""

    SCHEDULED = "Scheduled"
    DISPATCHED = "Dispatched"
    WORKING = "Working"
    DONE = "Done"


class BusinessUnitAddress(Wire):
    """The address of a business unit."""

    street: str | None = None
    unit: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    country: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    is_manual_coordinates: bool = False
    is_military: bool = False


class BusinessUnitTenant(Named):
    """The tenant that a business unit belongs to."""

    account_code: str | None = None
    franchise_id: str | None = None
    concept_code: str | None = None
    modified_on: Instant


class BusinessUnit(Wire):
    """A row of `settings/business-units`."""

    id: int
    active: bool = True
    name: str
    official_name: str | None = None
    email: str | None = None
    currency: str | None = None
    phone_number: str | None = None
    invoice_header: str | None = None
    invoice_message: str | None = None
    default_tax_rate: float | None = None
    authorization_paragraph: str | None = None
    acknowledgement_paragraph: str | None = None
    address: BusinessUnitAddress | None = None
    material_sku: str | None = None
    quickbooks_class: str | None = None
    account_code: str | None = None
    franchise_id: str | None = None
    concept_code: str | None = None
    corporate_contract_number: str | None = None
    trade: Named | None = None
    division: Named | None = None
    tag_type_ids: tuple[int, ...] | None = None
    tenant: BusinessUnitTenant | None = None
    created_on: Instant | None = None
    modified_on: Instant | None = None
    external_data: tuple[ExternalData, ...] | None = None


class Technician(Wire):
    """A row of `settings/technicians`. The vendor spells `appoitmentId` so."""

    id: int
    user_id: int | None = None
    name: str
    role_ids: tuple[int, ...] | None = None
    business_unit_id: int | None = None
    main_zone_id: int | None = None
    zone_ids: tuple[int, ...] | None = None
    created_on: Instant | None = None
    modified_on: Instant | None = None
    email: str | None = None
    phone_number: str | None = None
    login_name: str | None = None
    home: BusinessUnitAddress | None = None
    daily_goal: float | None = 0.0
    is_managed_tech: bool | None = True
    custom_fields: tuple[Named, ...] | None = None
    active: bool = True
    status: TechnicianStatus | None = TechnicianStatus.IDLE
    burden_rate: float | None = 0.0
    commission_rate: float | None = 0.0
    hourly_rate: float | None = 0.0
    sold_by_rate: float | None = 0.0
    appoitment_id: int | None = None


class Assignment(Wire):
    """A row of `dispatch/appointment-assignments`."""

    id: int
    technician_id: int
    technician_name: str | None = None
    assigned_by_id: int | None = None
    assigned_on: Instant | None = None
    status: AssignmentStatus
    is_paused: bool | None = False
    job_id: int
    appointment_id: int
    created_on: Instant | None = None
    modified_on: Instant | None = None
    active: bool = True


class AssignTechnicians(Wire):
    """The body of `assign-technicians` and `unassign-technicians`."""

    job_appointment_id: int
    technician_ids: tuple[int, ...] = Field(min_length=1)


class TagType(Wire):
    """A row of `settings/tag-types`."""

    id: int
    name: str
    color: str = "#1f77b4"
    code: str = ""
    importance: str | None = None
    is_conversion_opportunity: bool = False
    allow_to_use_on_timesheet_activity: bool = False
    is_visible_on_dispatch_board: bool = True
    active: bool = True
    created_on: Instant | None = None
    modified_on: Instant | None = None


class ArrivalWindow(Wire):
    """A row of `dispatch/arrival-windows`; both times are time spans, such as `09:00:00`."""

    id: int
    start: str
    duration: str
    business_unit_ids: tuple[int, ...] = ()
    active: bool = True


class CampaignCategory(Wire):
    """The category of a campaign."""

    id: int
    name: str
    active: bool = True


class Campaign(Wire):
    """A row of `marketing/campaigns`."""

    id: int
    name: str
    modified_on: Instant | None = None
    created_on: Instant | None = None
    active: bool = True
    category: CampaignCategory | None = None
    is_default_campaign: bool | None = None
    source: str | None = None
    other_source: str | None = None
    business_unit: str | None = None
    medium: str | None = None
    other_medium: str | None = None
    campaign_phone_numbers: tuple[str, ...] | None = None
