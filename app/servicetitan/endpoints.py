"""Every endpoint that this service calls: method, path, and what its answers mean."""

from dataclasses import dataclass

CRM = "/crm/v2/tenant/{tenant}"
JPM = "/jpm/v2/tenant/{tenant}"
SETTINGS = "/settings/v2/tenant/{tenant}"
DISPATCH = "/dispatch/v2/tenant/{tenant}"
MARKETING = "/marketing/v2/tenant/{tenant}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint. `about_customers` when a refusal may be about the customer, phone or area."""

    method: str
    template: str
    about_customers: bool = False

    @property
    def writes(self) -> bool:
        """Whether a call without an answer may have changed something."""
        return self.method != "GET"


LIST_CUSTOMERS = Endpoint("GET", f"{CRM}/customers")
CREATE_CUSTOMER = Endpoint("POST", f"{CRM}/customers", about_customers=True)
LIST_LOCATIONS = Endpoint("GET", f"{CRM}/locations")
CREATE_LOCATION = Endpoint("POST", f"{CRM}/locations", about_customers=True)

CREATE_JOB = Endpoint("POST", f"{JPM}/jobs", about_customers=True)
READ_JOB = Endpoint("GET", f"{JPM}/jobs/{{id}}")
LIST_JOBS = Endpoint("GET", f"{JPM}/jobs")
CANCEL_JOB = Endpoint("PUT", f"{JPM}/jobs/{{id}}/cancel")
REMOVE_CANCELLATION = Endpoint("PUT", f"{JPM}/jobs/{{id}}/remove-cancellation")
COMPLETE_JOB = Endpoint("PUT", f"{JPM}/jobs/{{id}}/complete")
LIST_NOTES = Endpoint("GET", f"{JPM}/jobs/{{id}}/notes")
CREATE_NOTE = Endpoint("POST", f"{JPM}/jobs/{{id}}/notes")
READ_APPOINTMENT = Endpoint("GET", f"{JPM}/appointments/{{id}}")
RESCHEDULE_APPOINTMENT = Endpoint("PATCH", f"{JPM}/appointments/{{id}}/reschedule")
REMOVE_HOLD = Endpoint("DELETE", f"{JPM}/appointments/{{id}}/hold")
LIST_JOB_TYPES = Endpoint("GET", f"{JPM}/job-types")
LIST_CANCEL_REASONS = Endpoint("GET", f"{JPM}/job-cancel-reasons")

LIST_ASSIGNMENTS = Endpoint("GET", f"{DISPATCH}/appointment-assignments")
ASSIGN = Endpoint("POST", f"{DISPATCH}/appointment-assignments/assign-technicians")
UNASSIGN = Endpoint("POST", f"{DISPATCH}/appointment-assignments/unassign-technicians")
LIST_BUSINESS_UNITS = Endpoint("GET", f"{SETTINGS}/business-units")
LIST_CAMPAIGNS = Endpoint("GET", f"{MARKETING}/campaigns")
