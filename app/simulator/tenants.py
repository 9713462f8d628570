"""The tenants that can be simulated."""

from app.simulator.faults import FaultKind, FaultRequest
from app.simulator.state.records import Refusal
from app.simulator.tenant import Kind, Stranger, Tenant, Unit, Window
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

_RESIDENTIAL = (111, 112, 113, 114, 115)
_PECAN_CREEK = ("Dallas", "TX", "75204")

STRICT = Tenant(
    id=2000002,
    name="Lone Star Overhead Doors (simulation)",
    business_units={
        111: Unit("DFW - Residential Service", "Dallas", "TX"),
        112: Unit("Austin - Residential Service", "Austin", "TX"),
        113: Unit("San Antonio - Residential Service", "San Antonio", "TX"),
        114: Unit("Houston - Residential Service", "Houston", "TX"),
        115: Unit("El Paso - Residential Service", "El Paso", "TX"),
        116: Unit("Commercial Service", "Dallas", "TX"),
        117: Unit("New Doors", "Dallas", "TX"),
        118: Unit("Call Center", "Dallas", "TX"),
    },
    job_types={
        211: Kind("Residential Service Call", 90, Priority.NORMAL, _RESIDENTIAL),
        212: Kind("Spring Replacement", 120, Priority.HIGH, _RESIDENTIAL),
        213: Kind("Opener Repair", 90, Priority.NORMAL, _RESIDENTIAL),
        214: Kind("Off-Track or Stuck Door", 90, Priority.URGENT, _RESIDENTIAL),
        215: Kind("Tune-Up", 60, Priority.LOW, _RESIDENTIAL),
        216: Kind("In-Home Estimate", 60, Priority.NORMAL, (117,)),
        217: Kind("Commercial Service Call", 120, Priority.HIGH, (116,), required=(811,)),
        218: Kind("Warranty Return", 60, Priority.NORMAL, (*_RESIDENTIAL, 117), required=(812,)),
    },
    campaigns={311: "Web Booking", 312: "Home Show", 313: "Home Show", 314: "Call-In"},
    cancel_reasons={
        411: "Customer Canceled - Online",
        412: "Customer Canceled - Phone",
        413: "Duplicate Job",
    },
    hold_reasons={461: "Parts on Order", 462: "Customer Not Home"},
    tag_types={611: "Booked Online", 612: "Spring Job", 613: "VIP"},
    windows={
        711: Window(8, 4),
        712: Window(12, 4),
        713: Window(16, 3, units=(111, 114)),
    },
    technicians={
        511: ("Dolores Vega", 111),
        512: ("Earl Hutchins", 111),
        513: ("Faith Odom", 112),
        514: ("Gus Petersen", 113),
        515: ("Hollis Tran", 114),
        516: ("Ines Carrillo", 115),
        517: ("Jim Ray Tucker", 116),
        518: ("Kendra Boone", 117),
    },
    custom_fields={811: "Purchase order", 812: "Original job"},
    job_number="{}",
    windows_enforced=True,
    time_zone="America/Chicago",
    zones={"799": "America/Denver"},
    without_campaign=422,
    no_app_key=Refusal(401, "Application key not present, check ST-App-Key header value.", by_gateway=True),
    no_tenant=Refusal(404, "Unable to match incoming request to an operation.", by_gateway=True),
    unknown_path=Refusal(404, "Unable to match incoming request to an operation.", by_gateway=True),
    strangers=(
        *(
            Stranger(
                f"Pecan Creek Apt {number}",
                "(214) 555-0150",
                f"2200 Pecan Creek Dr Apt {number}",
                _PECAN_CREEK,
                unit=111,
                kind=215,
                jobs=0,
            )
            for number in range(101, 131)
        ),
        Stranger(
            "Walt Grimes",
            "(817) 555-0166",
            "9 Feud Ln",
            ("Fort Worth", "TX", "76102"),
            unit=111,
            kind=211,
            do_not_service=True,
        ),
        Stranger(
            "Opal Jenkins", "(512) 555-0121", "77 Barton Ct", ("Austin", "TX", "78704"), unit=112, kind=212
        ),
        Stranger(
            "Ray Salinas",
            "(210) 555-0122",
            "5 Mission Rd",
            ("San Antonio", "TX", "78210"),
            unit=113,
            kind=213,
        ),
        Stranger(
            "June Landry", "(713) 555-0123", "812 Bayou Dr", ("Houston", "TX", "77019"), unit=114, kind=214
        ),
        Stranger(
            "Nico Armendariz", "(915) 555-0124", "40 Mesa St", ("El Paso", "TX", "79902"), unit=115, kind=218
        ),
        Stranger(
            "Trinity Warehouses",
            "(214) 555-0125",
            "1 Dock Blvd",
            ("Dallas", "TX", "75207"),
            unit=116,
            kind=217,
            jobs=3,
        ),
    ),
    faults=(FaultRequest(kind=FaultKind.ODD, method="GET"),),
)
"""Another business, to rehearse going live with: every rule that an account may have is enforced."""

TENANTS = {"a1": A1, "strict": STRICT}
