"""ServiceTitan's endpoints: one method per endpoint used, each giving an outcome; none raises for HTTP."""

from collections.abc import Mapping

from app.booking.outcomes import Outcome
from app.servicetitan import endpoints
from app.servicetitan.caller import Caller, Errand
from app.servicetitan.wire import crm, jpm, office
from app.servicetitan.wire.envelope import Page

PAGE_SIZE = "500"


class Client:
    """ServiceTitan's endpoints. `application_guid` is under which jobs carry our external data."""

    def __init__(self, caller: Caller, *, application_guid: str) -> None:
        self._caller = caller
        self._guid = {"externalDataApplicationGuid": application_guid}

    async def list_customers(self, errand: Errand, query: Mapping[str, str]) -> Outcome[Page[crm.Customer]]:
        """Customers by filter; `phone` searches their contacts."""
        return await self._caller.call(
            endpoints.LIST_CUSTOMERS, errand, Page[crm.Customer], query=_page(query)
        )

    async def create_customer(self, errand: Errand, body: crm.CreateCustomer) -> Outcome[crm.CreatedCustomer]:
        """A new customer with its locations; duplicates are not refused."""
        return await self._caller.call(endpoints.CREATE_CUSTOMER, errand, crm.CreatedCustomer, body=body)

    async def list_locations(self, errand: Errand, customer_id: int) -> Outcome[Page[crm.Location]]:
        """The active locations of a customer."""
        query = _page({"customerId": str(customer_id)})
        return await self._caller.call(endpoints.LIST_LOCATIONS, errand, Page[crm.Location], query=query)

    async def create_location(self, errand: Errand, body: crm.CreateLocation) -> Outcome[crm.CreatedLocation]:
        """A new location of a customer."""
        return await self._caller.call(endpoints.CREATE_LOCATION, errand, crm.CreatedLocation, body=body)

    async def create_job(self, errand: Errand, body: jpm.CreateJob) -> Outcome[jpm.Job]:
        """A new job with its appointment. Sent twice, it makes two."""
        return await self._caller.call(endpoints.CREATE_JOB, errand, jpm.Job, body=body)

    async def read_job(self, errand: Errand, job_id: int) -> Outcome[jpm.Job]:
        """One job, with our external data."""
        return await self._caller.call(endpoints.READ_JOB, errand, jpm.Job, row=job_id, query=self._guid)

    async def list_jobs(self, errand: Errand, query: Mapping[str, str]) -> Outcome[Page[jpm.Job]]:
        """Jobs by filter, with our external data. An unknown filter is ignored silently: check the rows."""
        return await self._caller.call(
            endpoints.LIST_JOBS, errand, Page[jpm.Job], query=_page(query) | self._guid
        )

    async def cancel_job(self, errand: Errand, job_id: int, body: jpm.ReasonAndMemo) -> Outcome[None]:
        """Cancel a job; the answer is empty."""
        return await self._caller.order(endpoints.CANCEL_JOB, errand, row=job_id, body=body)

    async def remove_cancellation(self, errand: Errand, job_id: int) -> Outcome[None]:
        """Make a cancelled job scheduled again; the answer is empty."""
        return await self._caller.order(endpoints.REMOVE_CANCELLATION, errand, row=job_id)

    async def complete_job(self, errand: Errand, job_id: int, body: jpm.CompleteJob) -> Outcome[None]:
        """Complete a job; 409 when it is ended already or nobody is assigned. The answer is empty."""
        return await self._caller.order(endpoints.COMPLETE_JOB, errand, row=job_id, body=body)

    async def list_notes(self, errand: Errand, job_id: int) -> Outcome[Page[jpm.Note]]:
        """The notes of a job."""
        return await self._caller.call(
            endpoints.LIST_NOTES, errand, Page[jpm.Note], row=job_id, query=_page({})
        )

    async def create_note(self, errand: Errand, job_id: int, body: jpm.CreateNote) -> Outcome[jpm.Note]:
        """One more note on a job. Sent twice, it makes two."""
        return await self._caller.call(endpoints.CREATE_NOTE, errand, jpm.Note, row=job_id, body=body)

    async def read_appointment(self, errand: Errand, appointment_id: int) -> Outcome[jpm.Appointment]:
        """One appointment."""
        return await self._caller.call(
            endpoints.READ_APPOINTMENT, errand, jpm.Appointment, row=appointment_id
        )

    async def reschedule(
        self, errand: Errand, appointment_id: int, body: jpm.RescheduleAppointment
    ) -> Outcome[jpm.Appointment]:
        """Move an appointment."""
        endpoint = endpoints.RESCHEDULE_APPOINTMENT
        return await self._caller.call(endpoint, errand, jpm.Appointment, row=appointment_id, body=body)

    async def remove_hold(self, errand: Errand, appointment_id: int) -> Outcome[None]:
        """Take an appointment off hold; 409 when it is on none. The answer is empty."""
        return await self._caller.order(endpoints.REMOVE_HOLD, errand, row=appointment_id)

    async def list_assignments(self, errand: Errand, job_id: int) -> Outcome[Page[office.Assignment]]:
        """Which technicians are assigned to a job."""
        query = _page({"jobId": str(job_id)})
        return await self._caller.call(
            endpoints.LIST_ASSIGNMENTS, errand, Page[office.Assignment], query=query
        )

    async def assign(
        self, errand: Errand, body: office.AssignTechnicians
    ) -> Outcome[jpm.AssignedAppointment]:
        """Assign technicians to an appointment."""
        return await self._caller.call(endpoints.ASSIGN, errand, jpm.AssignedAppointment, body=body)

    async def unassign(self, errand: Errand, body: office.AssignTechnicians) -> Outcome[None]:
        """Take technicians off an appointment."""
        return await self._caller.order(endpoints.UNASSIGN, errand, body=body)

    async def list_business_units(self, errand: Errand, page: int = 1) -> Outcome[Page[office.BusinessUnit]]:
        """The active business units."""
        model = Page[office.BusinessUnit]
        return await self._caller.call(endpoints.LIST_BUSINESS_UNITS, errand, model, query=_page({}, page))

    async def list_job_types(self, errand: Errand, page: int = 1) -> Outcome[Page[jpm.JobType]]:
        """The active job types."""
        return await self._caller.call(
            endpoints.LIST_JOB_TYPES, errand, Page[jpm.JobType], query=_page({}, page)
        )

    async def list_cancel_reasons(self, errand: Errand, page: int = 1) -> Outcome[Page[jpm.JobReason]]:
        """The active reasons for cancelling; this list gives all unless asked otherwise."""
        query = _page({"active": "True"}, page)
        return await self._caller.call(
            endpoints.LIST_CANCEL_REASONS, errand, Page[jpm.JobReason], query=query
        )

    async def list_campaigns(self, errand: Errand, page: int = 1) -> Outcome[Page[office.Campaign]]:
        """The active campaigns."""
        return await self._caller.call(
            endpoints.LIST_CAMPAIGNS, errand, Page[office.Campaign], query=_page({}, page)
        )

    async def ping(self, errand: Errand) -> Outcome[Page[office.BusinessUnit]]:
        """The cheapest read: one row of a short list."""
        query = {"page": "1", "pageSize": "1"}
        page = Page[office.BusinessUnit]
        return await self._caller.call(endpoints.LIST_BUSINESS_UNITS, errand, page, query=query)


def _page(query: Mapping[str, str], page: int = 1) -> dict[str, str]:
    return {"page": str(page), "pageSize": PAGE_SIZE, **query}
