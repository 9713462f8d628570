"""Every endpoint that this service calls: method, path, how it is asked and how its answer is read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pydantic import TypeAdapter

from app.servicetitan.wire import (
    PAGE_SIZE,
    Anything,
    Appointment,
    Assignment,
    ChangedAppointment,
    ChangedAssignment,
    ChangedJob,
    Contact,
    CreatedCustomer,
    Customer,
    Job,
    Location,
    Moved,
    Named,
    Note,
    page_of,
)

Value = TypeVar("Value")

CRM = "/crm/v2/tenant/{tenant}"
JPM = "/jpm/v2/tenant/{tenant}"
SETTINGS = "/settings/v2/tenant/{tenant}"
DISPATCH = "/dispatch/v2/tenant/{tenant}"
MARKETING = "/marketing/v2/tenant/{tenant}"

_PAGE = {"page": "1", "pageSize": str(PAGE_SIZE)}
_ANYTHING = TypeAdapter[object](object)


def _nothing(body: bytes) -> None:
    """Nothing is said, or what is said may be ignored; a proxy's page is no answer of ServiceTitan's."""
    if body.strip():
        _ANYTHING.validate_json(body)


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[Value]):
    """One endpoint. `read` makes an answer's value of its body, or raises pydantic's ValidationError.

    `query` is asked by every call; `about_customers` when a refusal may be about the customer, phone or area;
    `external_data` when our external data is asked for, which is not shown unless it is.
    """

    method: str
    template: str
    read: Callable[[bytes], Value]
    query: Mapping[str, str] = field(default_factory=dict)
    about_customers: bool = False
    external_data: bool = False

    @property
    def writes(self) -> bool:
        """Whether a call without an answer may have changed something."""
        return self.method != "GET"


LIST_CUSTOMERS = Endpoint("GET", f"{CRM}/customers", page_of(Customer), _PAGE)
CREATE_CUSTOMER = Endpoint("POST", f"{CRM}/customers", CreatedCustomer.read, about_customers=True)
READ_CUSTOMER = Endpoint("GET", f"{CRM}/customers/{{id}}", Customer.read)
LIST_CONTACTS = Endpoint("GET", f"{CRM}/customers/{{id}}/contacts", page_of(Contact), _PAGE)
CREATE_CONTACT = Endpoint("POST", f"{CRM}/customers/{{id}}/contacts", Anything.read)
LIST_LOCATIONS = Endpoint("GET", f"{CRM}/locations", page_of(Location), _PAGE)
CREATE_LOCATION = Endpoint("POST", f"{CRM}/locations", Location.read, about_customers=True)

CREATE_JOB = Endpoint("POST", f"{JPM}/jobs", Job.read, about_customers=True)
READ_JOB = Endpoint("GET", f"{JPM}/jobs/{{id}}", Job.read, external_data=True)
# An unknown filter is ignored silently: check the rows.
LIST_JOBS = Endpoint("GET", f"{JPM}/jobs", page_of(Job), _PAGE, external_data=True)
CHANGED_JOBS = Endpoint("GET", f"{JPM}/jobs", page_of(ChangedJob), _PAGE, external_data=True)
CANCEL_JOB = Endpoint("PUT", f"{JPM}/jobs/{{id}}/cancel", _nothing)
REMOVE_CANCELLATION = Endpoint("PUT", f"{JPM}/jobs/{{id}}/remove-cancellation", _nothing)
COMPLETE_JOB = Endpoint("PUT", f"{JPM}/jobs/{{id}}/complete", _nothing)
LIST_NOTES = Endpoint("GET", f"{JPM}/jobs/{{id}}/notes", page_of(Note), _PAGE)
CREATE_NOTE = Endpoint("POST", f"{JPM}/jobs/{{id}}/notes", Anything.read)
READ_APPOINTMENT = Endpoint("GET", f"{JPM}/appointments/{{id}}", Appointment.read)
RESCHEDULE_APPOINTMENT = Endpoint("PATCH", f"{JPM}/appointments/{{id}}/reschedule", Moved.read)
REMOVE_HOLD = Endpoint("DELETE", f"{JPM}/appointments/{{id}}/hold", _nothing)
LIST_JOB_TYPES = Endpoint("GET", f"{JPM}/job-types", page_of(Named), _PAGE)
# This list gives inactive rows too unless asked otherwise.
LIST_CANCEL_REASONS = Endpoint(
    "GET", f"{JPM}/job-cancel-reasons", page_of(Named), {**_PAGE, "active": "True"}
)

CHANGED_APPOINTMENTS = Endpoint("GET", f"{JPM}/appointments", page_of(ChangedAppointment), _PAGE)

LIST_ASSIGNMENTS = Endpoint("GET", f"{DISPATCH}/appointment-assignments", page_of(Assignment), _PAGE)
CHANGED_ASSIGNMENTS = Endpoint(
    "GET", f"{DISPATCH}/appointment-assignments", page_of(ChangedAssignment), {**_PAGE, "active": "Any"}
)
ASSIGN = Endpoint("POST", f"{DISPATCH}/appointment-assignments/assign-technicians", Anything.read)
UNASSIGN = Endpoint("POST", f"{DISPATCH}/appointment-assignments/unassign-technicians", _nothing)
LIST_BUSINESS_UNITS = Endpoint("GET", f"{SETTINGS}/business-units", page_of(Named), _PAGE)
LIST_TAG_TYPES = Endpoint("GET", f"{SETTINGS}/tag-types", page_of(Named), _PAGE)
LIST_CAMPAIGNS = Endpoint("GET", f"{MARKETING}/campaigns", page_of(Named), _PAGE)
