"""Why an event was dead-lettered: the closed list of the contract's section 4, declared once.

The same word stands in the `x-reason` header, the log, the metric, the page, the alert and the runbook.
"""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """One word for each way an event can fail for good."""

    UNREADABLE = "unreadable"
    UNKNOWN_TYPE = "unknown-type"
    WRONG_KEY = "wrong-key"
    WRONG_PARTITION = "wrong-partition"
    TOO_LARGE = "too-large"
    INVALID = "invalid"
    BOOKING_EXISTS = "booking-exists"
    UNKNOWN_BOOKING = "unknown-booking"
    ILLEGAL_TRANSITION = "illegal-transition"
    LANE_FULL = "lane-full"
    CUSTOMER_CONFLICT = "customer-conflict"
    AREA_NOT_SUPPORTED = "area-not-supported"
    PHONE_REFUSED = "phone-refused"
    DO_NOT_SERVICE = "do-not-service"
    NO_TECHNICIAN = "no-technician"
    REFUSED = "refused"
    NOT_PERMITTED = "not-permitted"
    RETRIES_USED_UP = "retries-used-up"
    DISCARDED = "discarded"


class Owner(StrEnum):
    """Who acts on a dead letter."""

    ENGINEER = "engineer"
    DISPATCHER = "dispatcher"
    CUSTOMER = "dispatcher, customer"
    UPSTREAM = "upstream"
    NOBODY = "-"


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a reason means to a person: a sentence, the remedy, and who acts."""

    sentence: str
    remedy: str
    owner: Owner


EXPLANATIONS: dict[Reason, Explanation] = {
    Reason.UNREADABLE: Explanation(
        "The record is not a CloudEvent: its bytes, JSON or attributes cannot be read.",
        "Mend the producer and send the event again under a new id.",
        Owner.ENGINEER,
    ),
    Reason.UNKNOWN_TYPE: Explanation(
        "The event's type is none that this service knows.",
        "Send one of the four booking event types, or update this service.",
        Owner.ENGINEER,
    ),
    Reason.WRONG_KEY: Explanation(
        "The record's key is missing or is not the event's subject.",
        "Produce with the booking id as the key.",
        Owner.ENGINEER,
    ),
    Reason.WRONG_PARTITION: Explanation(
        "The record stands in a partition that is not murmur2 of its key.",
        "Use the default partitioner (librdkafka: partitioner=murmur2_random).",
        Owner.ENGINEER,
    ),
    Reason.TOO_LARGE: Explanation(
        "The event is larger than 64 KB, or than 80 KB with its key and headers.",
        "Send what the contract asks for and nothing more.",
        Owner.ENGINEER,
    ),
    Reason.INVALID: Explanation(
        "The event's data breaks the contract; the detail lists every field.",
        "Repair the named fields with the customer's help, or discard.",
        Owner.DISPATCHER,
    ),
    Reason.BOOKING_EXISTS: Explanation(
        "A second creation came for this booking, with other data than the first.",
        "Find out why one booking id was used twice; send a change as a reschedule.",
        Owner.ENGINEER,
    ),
    Reason.UNKNOWN_BOOKING: Explanation(
        "A change came for a booking whose creation was never seen.",
        "Send the creation first, with the same booking id.",
        Owner.ENGINEER,
    ),
    Reason.ILLEGAL_TRANSITION: Explanation(
        "The job's status does not allow this change.",
        "Compare with the job in ServiceTitan; make the change there, or discard.",
        Owner.DISPATCHER,
    ),
    Reason.LANE_FULL: Explanation(
        "More than 1,000 events stand behind a held one.",
        "Repair or discard the held event, then send what was turned away again.",
        Owner.DISPATCHER,
    ),
    Reason.CUSTOMER_CONFLICT: Explanation(
        "ServiceTitan refused the customer as conflicting with another one.",
        "Merge or correct the customer in ServiceTitan, then retry; or repair the booking.",
        Owner.CUSTOMER,
    ),
    Reason.AREA_NOT_SUPPORTED: Explanation(
        "ServiceTitan does not serve the booking's ZIP code.",
        "Correct the address with the customer and repair, or discard.",
        Owner.CUSTOMER,
    ),
    Reason.PHONE_REFUSED: Explanation(
        "ServiceTitan refused the phone number.",
        "Correct the number with the customer and repair.",
        Owner.CUSTOMER,
    ),
    Reason.DO_NOT_SERVICE: Explanation(
        "The customer is marked in ServiceTitan as not to be served; no job was made.",
        "Clear it with the office: take the mark off and retry, or call the customer and discard.",
        Owner.DISPATCHER,
    ),
    Reason.NO_TECHNICIAN: Explanation(
        "The job cannot be completed because nobody is assigned to it.",
        "Assign the technician in ServiceTitan, then retry.",
        Owner.DISPATCHER,
    ),
    Reason.REFUSED: Explanation(
        "ServiceTitan refused the call; the detail has its title and errors.",
        "Read the detail; mend the mapping or the account's set-up, then retry.",
        Owner.ENGINEER,
    ),
    Reason.NOT_PERMITTED: Explanation(
        "ServiceTitan answered 403: the app lacks a scope.",
        "Grant the scope and have the tenant approve it, then retry the group.",
        Owner.ENGINEER,
    ),
    Reason.RETRIES_USED_UP: Explanation(
        "Every attempt failed; the last outcome is in the detail.",
        "Wait until ServiceTitan is well, then retry the group.",
        Owner.UPSTREAM,
    ),
    Reason.DISCARDED: Explanation(
        "An operator closed it.",
        "Nothing: who did it and why is in the timeline.",
        Owner.NOBODY,
    ),
}
