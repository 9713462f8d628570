"""Every setting: one table (the fields of `Settings`), read once from the environment.

The table in deploy/SETTINGS.md is rendered from here by `as_markdown`. `load` is the only way in: it gives
a frozen `Settings` or raises `SettingsWrong`: one line that names the setting, what is wrong and what is
allowed.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from yarl import URL

from app import setting_types as types
from app.booking.business import Business
from app.business_file import BusinessWrong, load_business
from app.setting_types import Mode, host_of, is_loopback, mode_of

SIMULATOR = "http://127.0.0.1:8200"
_ON_THIS_MACHINE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what is listened on, not a listener


class SettingsWrong(Exception):  # noqa: N818 - read as a sentence: "settings wrong"
    """One or more settings cannot be used; the text is one line and never holds a secret.

    Only of the business file and its names there is a line for each thing that is wrong.
    """


def _setting(default: object, meaning: str, allowed: str, *, shown: str = "", secret: bool = False) -> Any:  # noqa: ANN401 - a field's default has its field's type
    """One row of the table: `shown` says the default where it is not the value itself."""
    return Field(
        default=default,
        description=meaning,
        json_schema_extra={"allowed": allowed, "shown": shown, "secret": secret},
    )


class Settings(BaseModel):
    """What the environment asks for. A field's name in capitals is its variable."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kafka_bootstrap_servers: types.Servers = _setting(
        ("localhost:9092",), "The Kafka brokers asked first.", "comma-separated host:port"
    )
    kafka_security_protocol: types.Protocol = _setting(
        "PLAINTEXT", "How Kafka is spoken to.", "PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"
    )
    kafka_sasl_mechanism: types.Mechanism = _setting(
        "PLAIN", "How this service signs in to Kafka.", "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"
    )
    kafka_sasl_username: str = _setting(
        "", "Who signs in to Kafka.", "a name; needed by SASL_PLAINTEXT and SASL_SSL"
    )
    kafka_sasl_password: SecretStr = _setting(
        SecretStr(""),
        "The password for it.",
        "a password; needed by SASL_PLAINTEXT and SASL_SSL",
        secret=True,
    )
    kafka_ca_file: types.ExistingFile | None = _setting(
        None,
        "The certificates Kafka's own is checked against.",
        "a PEM file, with SSL or SASL_SSL",
        shown="the system's",
    )
    kafka_session_timeout_seconds: Annotated[int, Field(ge=1, le=300)] = _setting(
        10, "How long a silent worker keeps its partitions.", "1 to 300, within the broker's own bounds"
    )
    topic_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,100}$")] = _setting(
        "", "Put literally in front of every topic and group.", "up to 100 letters, digits, '.', '_', '-'"
    )
    topic_partitions: Annotated[int, Field(ge=1, le=1000)] = _setting(
        12, "Partitions of every topic, fixed for the life of a prefix.", "1 to 1000"
    )
    topic_replication_factor: Annotated[int, Field(ge=1, le=100)] = _setting(
        1, "Copies of every topic that is created.", "1 to the number of brokers"
    )

    servicetitan_api_url: types.Address = _setting(
        SIMULATOR,
        "Where ServiceTitan's API is; a trailing `/v2` is dropped.",
        "an address with https (http in simulation, or on this machine)",
    )
    servicetitan_mode: types.ModeName = _setting(
        Mode.SIMULATION,
        (
            "Which ServiceTitan that is. Simulation has defaults for credentials, takes webhooks without a "
            "secret and shows tokens whole."
        ),
        "live, sandbox, simulation; needed for a host that is neither ServiceTitan's nor of this machine",
        shown="by the host: live, sandbox, or simulation on this machine",
    )
    servicetitan_auth_url: types.Address = _setting(
        "",
        "Where tokens come from: a host, or the full token URL.",
        "an address of the same mode as SERVICETITAN_API_URL",
        shown="as `SERVICETITAN_API_URL`; ServiceTitan's own sign-in host when that is ServiceTitan's",
    )
    servicetitan_client_id: str = _setting(
        "cid.simulation", "The client id.", "a text; needed unless simulated", shown="one in simulation"
    )
    servicetitan_api_key: SecretStr = _setting(
        SecretStr("cs1.simulation"),
        "The client secret; `SERVICETITAN_CLIENT_SECRET` is the same.",
        "a text; needed unless simulated",
        shown="one in simulation",
        secret=True,
    )
    servicetitan_app_key: SecretStr = _setting(
        SecretStr("ak1.simulation"),
        "The app's key.",
        "a text; needed unless simulated",
        shown="one in simulation",
        secret=True,
    )
    servicetitan_tenant_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,50}$")] = _setting(
        "1000001", "The tenant.", "a number; needed unless simulated", shown="one in simulation"
    )
    servicetitan_application_guid: types.Guid = _setting(
        "5e41a5e7-0000-4000-8000-000000000001",
        "The app's GUID, under which a job carries its booking id.",
        "a GUID; needed unless simulated",
        shown="one in simulation",
    )
    servicetitan_calls_per_second: Annotated[float, Field(gt=0, le=100_000)] = _setting(
        60.0, "The pace of all workers together.", "above 0, up to 100000"
    )
    servicetitan_timeout_seconds: Annotated[float, Field(gt=0, le=300)] = _setting(
        30.0, "How long one call may take.", "above 0, up to 300"
    )
    servicetitan_settle_seconds: Annotated[float, Field(ge=0, le=3600)] = _setting(
        105.0,
        "How long a creation without an answer may still be running upstream.",
        "0 to 3600",
        shown="105; 5 in simulation",
    )
    business_file: types.ExistingFile | None = _setting(
        None,
        "The business: its problems, areas, time zone and names in ServiceTitan.",
        "a TOML file; `servicetitan-stream business` prints the one in use",
        shown="A1's, which the package ships",
    )

    retry_delays: types.Delays = _setting(
        (5, 10, 20),
        "Seconds before each retry; a topic for each. Changing it needs a full stop.",
        "1 to 5 whole numbers of seconds, comma-separated, each 1 to 86400",
    )
    max_calls_in_flight: Annotated[int, Field(ge=1, le=10_000)] = _setting(
        200, "Calls to ServiceTitan that one worker has under way at once.", "1 to 10000"
    )
    keep_ended_days: Annotated[int, Field(ge=1, le=3650)] = _setting(
        400, "How long an ended booking is kept.", "1 to 3650 days"
    )
    servicetitan_sweep_seconds: Annotated[int, Field(ge=0, le=86_400)] = _setting(
        300,
        "How often ServiceTitan is asked what changed there; off, what no webhook told stays unknown.",
        "0 (off) to 86400",
    )
    store: Literal["rocksdb", "memory"] = _setting(
        "rocksdb", "Where a worker keeps its tables.", "rocksdb, memory"
    )
    data_dir: Path = _setting(
        Path("data"),
        "A worker's own folder; locked, never shared.",
        "a folder that can be written",
        shown="`./data`",
    )

    web_host: str = _setting(
        "127.0.0.1",
        "The address the web views listen on.",
        "a loopback address, or any when API_ACT_KEYS is set",
    )
    web_port: Annotated[int, Field(ge=1, le=65_535)] = _setting(6066, "Their port.", "1 to 65535")
    web_wait_seconds: Annotated[float, Field(ge=0, le=30)] = _setting(
        10.0, "How long an answer over HTTP waits for its job.", "0 to 30"
    )
    api_read_keys: types.ReadKeys = _setting(
        (),
        "Keys that may read.",
        f"comma-separated name:key, the name optional, a key of {types.LEAST_KEY} characters or more",
        shown="none",
        secret=True,
    )
    api_act_keys: types.ActKeys = _setting(
        (),
        "Keys that may act, and read.",
        f"comma-separated name:key, the name optional, a key of {types.LEAST_KEY} characters or more",
        shown="none",
        secret=True,
    )
    webhook_secrets: types.WebhookSecrets = _setting(
        (),
        (
            "Secrets a webhook may be signed with; `whsec_` starts one in base64. "
            "Without any, webhooks are taken in simulation only."
        ),
        f"comma-separated secrets of {types.LEAST_SECRET} bytes or more, decoded",
        shown="none",
        secret=True,
    )
    webhook_signature_header: types.HeaderName = _setting(
        "x-servicetitan-signature", "The header with the HMAC-SHA256 of the body.", "a header's name"
    )
    webhook_signature_encoding: Literal["hex", "base64"] = _setting(
        "hex", "How it is written.", "hex, base64"
    )
    webhook_tolerance_seconds: types.Seconds = _setting(
        300, "How old a webhook signed by Standard Webhooks may be.", "1 to 86400"
    )

    log_format: Literal["json", "console"] = _setting("json", "How log lines look.", "json, console")
    log_level: types.LogLevel = _setting(
        "INFO", "From which level on lines are written.", "DEBUG, INFO, WARNING, ERROR, CRITICAL"
    )

    @property
    def mode(self) -> Mode:
        """Live, sandbox or simulation."""
        return self.servicetitan_mode

    @property
    def tenant_number(self) -> int | None:
        """The tenant as webhooks name it; None of a simulated one that has a word for a number."""
        tenant = self.servicetitan_tenant_id
        return int(tenant) if tenant.isdecimal() else None

    @cached_property
    def business(self) -> Business:
        """What the business file says; `load` has read it."""
        return load_business(self.business_file)

    @property
    def token_url(self) -> str:
        """Where a token is asked for: the auth URL itself when it has a path, else `/connect/token` there."""
        url = URL(self.servicetitan_auth_url)
        return str(url if url.path not in {"", "/"} else url / "connect/token")

    @property
    def web_url(self) -> str:
        """Where the web views are reached from this machine."""
        host = _ON_THIS_MACHINE.get(self.web_host, self.web_host)
        return f"http://[{host}]:{self.web_port}" if ":" in host else f"http://{host}:{self.web_port}"

    @property
    def notices(self) -> tuple[str, ...]:
        """What is allowed but should be said at start, one sentence each."""
        if self.mode is Mode.SIMULATION or self.webhook_secrets:
            return ()
        return ("WEBHOOK_SECRETS is not set: webhooks are answered 503 and none is taken",)

    @model_validator(mode="before")
    @classmethod
    def _fill_by_mode(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Defaults that depend on the mode; outside of simulation there are none for credentials."""
        api = str(given.get("servicetitan_api_url", SIMULATOR))
        mode = _mode(api, given.get("servicetitan_mode"))
        given = {**given, "servicetitan_mode": given.get("servicetitan_mode", mode)}
        if mode is Mode.SIMULATION:
            return {"servicetitan_settle_seconds": 5.0, "servicetitan_auth_url": api, **given}
        missing = [name.upper() for name in _CREDENTIALS if name not in given]
        if missing:
            raise ValueError(f"{', '.join(missing)} missing: needed as SERVICETITAN_API_URL is {mode}")
        if not str(given["servicetitan_tenant_id"]).isdecimal():
            raise ValueError(f"SERVICETITAN_TENANT_ID is not a number, as ServiceTitan's are: {mode}")
        return {"servicetitan_auth_url": _sign_in_host(mode), **given}

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if wrong := [*self._kafka_conflicts(), *self._mode_conflicts(), *self._web_conflicts()]:
            raise ValueError("; ".join(wrong))
        return self

    def _kafka_conflicts(self) -> Iterator[str]:
        protocol = self.kafka_security_protocol
        given = (bool(self.kafka_sasl_username), bool(self.kafka_sasl_password.get_secret_value()))
        both = "KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"
        if protocol.startswith("SASL") and not all(given):
            yield f"{both} are both needed as KAFKA_SECURITY_PROTOCOL is {protocol}"
        if any(given) and not protocol.startswith("SASL"):
            yield f"{both} need KAFKA_SECURITY_PROTOCOL SASL_PLAINTEXT or SASL_SSL; it is {protocol}"
        if self.kafka_ca_file is not None and not protocol.endswith("SSL"):
            yield f"KAFKA_CA_FILE needs KAFKA_SECURITY_PROTOCOL SSL or SASL_SSL; it is {protocol}"

    def _mode_conflicts(self) -> Iterator[str]:
        api, auth = mode_of(self.servicetitan_api_url), mode_of(self.servicetitan_auth_url)
        # On this machine may stand a way to any ServiceTitan, when it is said.
        if api not in {None, Mode.SIMULATION, self.mode}:
            yield f"SERVICETITAN_MODE is {self.mode}, SERVICETITAN_API_URL {api}; allowed: the same, or none"
        elif auth not in {None, api, self.mode}:
            yield f"SERVICETITAN_AUTH_URL is {auth}, SERVICETITAN_API_URL {self.mode}; allowed: the same mode"
        for name in ("servicetitan_api_url", "servicetitan_auth_url"):
            url = getattr(self, name)
            secret = self.mode is not Mode.SIMULATION and not is_loopback(host_of(url))
            if secret and not url.startswith("https:"):
                yield f"{name.upper()} is not https, over which alone ServiceTitan is called"

    def _web_conflicts(self) -> Iterator[str]:
        if not is_loopback(self.web_host) and not self.api_act_keys:
            yield (
                f"WEB_HOST is {self.web_host!r} but API_ACT_KEYS is not set; "
                "allowed without keys: 127.0.0.1, ::1, localhost"
            )
        keys = [held.key.get_secret_value() for held in (*self.api_read_keys, *self.api_act_keys)]
        if len(set(keys)) != len(keys):
            yield "API_READ_KEYS and API_ACT_KEYS share a key; allowed: each key once, an act key may read"


_CREDENTIALS = (
    "servicetitan_client_id",
    "servicetitan_api_key",
    "servicetitan_app_key",
    "servicetitan_tenant_id",
    "servicetitan_application_guid",
)
_SAME = {"SERVICETITAN_CLIENT_SECRET": "SERVICETITAN_API_KEY"}
_REMOVED = {
    "SERVICETITAN_JOB_TYPE": "job_type",
    "SERVICETITAN_CAMPAIGN": "campaign",
    "SERVICETITAN_CANCEL_REASON": "cancel_reason",
    "BUSINESS_TIME_ZONE": "time_zone",
}
"""What was a setting once, by its key in the business file."""
_FIELDS: Mapping[str, FieldInfo] = {name.upper(): field for name, field in Settings.model_fields.items()}

# Variables that start like this are ours alone. Others (KAFKA_HEAP_OPTS, WEB_CONCURRENCY, LOG_DIR) may be
# somebody else's: there only what looks like a slip of one of our names is refused.
_OURS = re.compile(r"(SERVICETITAN|TOPIC|WEBHOOK)_|API_\w*KEYS?$")
_SHARED = tuple(sorted({f"{name.split('_')[0]}_" for name in _FIELDS if "_" in name}))
# Kubernetes puts such variables into every container, for every service of the namespace.
_SERVICE_LINK = re.compile(r"_SERVICE_(HOST|PORT(_\w+)?)$|_PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?$")


def load(environ: Mapping[str, str]) -> Settings:
    """Reads the settings from an environment; an empty variable counts as not set.

    Raises `SettingsWrong` with one line when a value cannot be used, a needed one is missing, or a variable
    looks like one of ours but is not.
    """
    given = {name: value.strip() for name, value in environ.items() if value.strip()}
    _refuse_unknown(given)
    for same, name in _SAME.items():
        if given.get(same, given.get(name)) != given.get(name, given.get(same)):
            raise SettingsWrong(f"{same} and {name} differ; allowed: one of them, or both the same")
        if same in given:
            given[name] = given[same]
    try:
        fields: dict[str, Any] = {name.lower(): given[name] for name in _FIELDS if name in given}
        settings = Settings(**fields)
        _ = settings.business
    except ValidationError as wrong:
        raise SettingsWrong("; ".join(_lines(wrong, given))) from None
    except BusinessWrong as wrong:
        raise SettingsWrong(str(wrong)) from None
    return settings


def _refuse_unknown(given: Mapping[str, str]) -> None:
    for name in sorted(_REMOVED.keys() & given.keys()):
        raise SettingsWrong(
            f"{name} is no setting any more; unset it: "
            f"it is {_REMOVED[name]} in the business file (BUSINESS_FILE)"
        )
    known = (*_FIELDS, *_SAME)
    for name in sorted(given.keys() - set(known)):
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.85) if name.startswith(_SHARED) else []
        if _SERVICE_LINK.search(name) or not (near or _OURS.match(name)):
            continue
        if near:
            raise SettingsWrong(f"{name} is not a setting; did you mean {near[0]}?")
        alike = [each for each in known if each.startswith(f"{name.split('_', maxsplit=1)[0]}_")]
        raise SettingsWrong(f"{name} is not a setting; allowed: {', '.join(alike)}")


def _lines(wrong: ValidationError, given: Mapping[str, str]) -> Iterator[str]:
    """One clause for each error; a default that follows a wrong value is not reported beside it."""
    for error in wrong.errors():
        # It may repeat what was given.
        message = " ".join(error["msg"].removeprefix("Value error, ").splitlines())
        if not error["loc"]:
            yield message
            continue
        name = str(error["loc"][0]).upper()
        if name in given:
            extra = _extra(_FIELDS[name])
            # What stands before an @ in an address is a password.
            shown = "" if extra["secret"] or "@" in given[name] else f" is {given[name][:80]!r}"
            yield f"{name}{shown}: {message[:1].lower()}{message[1:]}; allowed: {extra['allowed']}"


def _extra(field: FieldInfo) -> dict[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def _mode(api: str, said: object) -> Mode:
    """The mode that is said, else that of the API's host; simulation for what a field's own check refuses."""
    if said is not None:
        return next((mode for mode in Mode if mode == str(said).lower()), Mode.SIMULATION)
    try:
        guessed = mode_of(types.address(api))
    except ValueError:
        return Mode.SIMULATION
    if guessed is None:
        raise ValueError(
            "SERVICETITAN_MODE missing: needed as the host of SERVICETITAN_API_URL is neither ServiceTitan's "
            "own nor this machine; allowed: live, sandbox, simulation"
        )
    return guessed


def _sign_in_host(mode: Mode) -> str:
    return f"https://auth{'-integration' if mode is Mode.SANDBOX else ''}.servicetitan.io"


def as_markdown() -> str:
    """The settings as a Markdown table: variable, default, meaning, what is allowed."""
    rows = ["| variable | default | meaning | allowed |", "|---|---|---|---|"]
    rows += [
        f"| `{name}` | {_default(field)} | {field.description} | {_extra(field)['allowed']} |"
        for name, field in _FIELDS.items()
    ]
    return "\n".join(rows) + "\n"


def _default(field: FieldInfo) -> str:
    if shown := _extra(field)["shown"]:
        return str(shown)
    match field.default:
        case tuple() as entries:
            return f"`{','.join(str(entry) for entry in entries)}`"
        case float() as number:
            return f"`{number:g}`"
        case SecretStr():
            return "empty"
        case value:
            return f"`{value}`" if str(value) else "empty"
