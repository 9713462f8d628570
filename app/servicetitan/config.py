"""What the client is told: where ServiceTitan is, who asks, and how it is used."""

from dataclasses import dataclass, field
from pathlib import Path

from yarl import URL

from app.booking.business import Business
from app.servicetitan.breaker import FIRST_PAUSE, LONGEST_PAUSE

TOKEN_PATH = "/connect/token"  # noqa: S105 - a path, no secret


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamConfig:
    """Where ServiceTitan is and who asks there.

    `auth_url` is a host or the full token URL. Secrets are stripped of blanks around them (a trailing
    newline is the commonest cause of `invalid_client`) and never shown. With `guess_names` the first active
    row of a list stands in for a name that it has not. The pauses, in seconds, are the breaker's.
    """

    api_url: str
    auth_url: str
    client_id: str
    client_secret: str = field(repr=False)
    app_key: str = field(repr=False)
    tenant_id: str
    application_guid: str
    calls_per_second: float = 60.0
    calls_in_flight: int = 200
    timeout_seconds: float = 30.0
    business: Business
    guess_names: bool = False
    ca_file: Path | None = None
    first_pause: float = FIRST_PAUSE
    longest_pause: float = LONGEST_PAUSE

    def __post_init__(self) -> None:
        """Strip what people paste."""
        for name in ("client_id", "client_secret", "app_key", "tenant_id", "application_guid"):
            object.__setattr__(self, name, getattr(self, name).strip())

    @property
    def api_root(self) -> str:
        """The API's address, without a trailing slash or `/v2`."""
        return self.api_url.strip().rstrip("/").removesuffix("/v2").rstrip("/")

    @property
    def token_url(self) -> URL:
        """Where tokens are asked for."""
        url = URL(self.auth_url.strip().rstrip("/"))
        return url if url.path.rstrip("/").endswith("/token") else url.with_path(TOKEN_PATH)
