"""The tenants that can be simulated."""

from app.simulator.state.records import Refusal
from app.simulator.tenant import Kind, Tenant, Unit, Window
from app.simulator.wire.jpm import Priority

A1 = Tenant(
    id=1000001,
    name="A1 Garage Door Service (simulation)",
    business_units={
        101: Unit("Phoenix_Metro"),
        102: Unit("Phoenix_Central"),
        103: Unit("Scottsdale_North"),
        104: Unit("Mesa_East"),
    },
    job_types={
        201: Kind("Garage Door Service", 90, Priority.NORMAL),
        202: Kind("Broken Spring", 120, Priority.HIGH),
        203: Kind("Door Won't Open", 90, Priority.NORMAL),
        204: Kind("Door Won't Close", 90, Priority.HIGH),
        205: Kind("Door Stuck Closed", 60, Priority.HIGH),
        206: Kind("Noisy Door", 60, Priority.NORMAL),
        207: Kind("Remote Not Working", 30, Priority.NORMAL),
        208: Kind("New Door Installation", 240, Priority.NORMAL),
    },
    campaigns={301: "Website", 302: "Google Ads", 303: "Referral"},
    cancel_reasons={
        401: "Customer Request",
        402: "Booked by Mistake",
        403: "Out of Service Area",
        404: "No Show",
    },
    hold_reasons={451: "Waiting for Parts", 452: "Customer Not Available", 453: "Weather"},
    tag_types={601: "Online booking", 602: "Spring", 603: "Warranty"},
    windows={701: Window(8, 2), 702: Window(10, 2), 703: Window(12, 2), 704: Window(14, 2)},
    technicians={
        501: ("Alma Ortiz", 101),
        502: ("Ben Whitaker", 101),
        503: ("Carla Nguyen", 102),
        504: ("Dale Yazzie", 102),
        505: ("Erin Fuller", 103),
        506: ("Felix Romero", 103),
        507: ("Grace Kim", 104),
        508: ("Hector Salas", 104),
    },
    no_app_key=Refusal(401, "Invalid application key", {"id": ["The ST-App-Key is not valid."]}),
    no_tenant=Refusal(401, "Invalid tenant", {"id": ["The tenant is not valid."]}),
    unknown_path=Refusal(404, "Resource not found"),
)
"""The business that the service is shipped for; takes what a lenient account takes."""
