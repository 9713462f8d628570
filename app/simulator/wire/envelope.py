"""What is around the rows: pages, exports, the error body, the token, external data."""

from typing import Any, Generic, TypeVar

from pydantic import ConfigDict, Field

from app.simulator.wire.base import Wire

Row = TypeVar("Row", bound=Wire)

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 5000
MAX_IDS = 50
"""The most values `ids` and `externalDataValues` take."""


class Page(Wire, Generic[Row]):
    """One page of a list; `total_count` is null unless `includeTotal=true` was asked for."""

    page: int = 1
    page_size: int = DEFAULT_PAGE_SIZE
    has_more: bool = False
    total_count: int | None = None
    data: tuple[Row, ...]


class ExportPage(Wire, Generic[Row]):
    """A stretch of an export feed; `continue_from` goes into the next call's `from`."""

    has_more: bool
    continue_from: str
    data: tuple[Row, ...]


class ErrorBody(Wire):
    """The RFC 7807 body of a refusal.

    A 429 tells its wait in the title: `Rate limit is exceeded. Try again in N seconds.`
    """

    type: str = ""
    title: str = ""
    status: int = 0
    trace_id: str = ""
    errors: dict[str, list[str]] = Field(default_factory=dict)
    data: dict[str, Any] = Field(default_factory=dict)


class GatewayBody(Wire):
    """What the gateway in front of the API says in its own form, which has no errors."""

    status_code: int
    message: str


class TokenAnswer(Wire):
    """The answer of `POST /connect/token`; `expires_in` in seconds, `scope` joined by spaces."""

    model_config = ConfigDict(alias_generator=None)  # OAuth 2 is the one place with snake_case outside

    access_token: str
    expires_in: int
    token_type: str = "Bearer"  # noqa: S105 - the scheme's name
    scope: str = ""


class TokenError(Wire):
    """The 400 of `POST /connect/token`: `invalid_client`, `invalid_request`, `unsupported_grant_type` ..."""

    error: str


class ExternalData(Wire):
    """One key and value that an application keeps on a row."""

    key: str
    value: str


class ExternalDataEntry(Wire):
    """One key and value of a request; in a PATCH a null value removes the key."""

    key: str
    value: str | None = None


class ExternalDataRequest(Wire):
    """External data to write, under the application's GUID; `patch_mode` counts in a PATCH only."""

    application_guid: str
    external_data: tuple[ExternalDataEntry, ...]
    patch_mode: str | None = None


class Named(Wire):
    """An id and a name."""

    id: int
    name: str
