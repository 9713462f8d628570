"""`POST /connect/token`: client credentials, as a form; JSON is refused."""

from urllib.parse import parse_qs

from app.simulator.call import Answer
from app.simulator.wire.envelope import TokenError

INVALID_KEY = "invalid_key"
INVALID_TENANT = "invalid_tenant"
TOKEN_PATH = "/connect/token"  # noqa: S105 - a path


def client_of(content_type: str, body: bytes) -> str | Answer:
    """The client id of a good request, or the 400 of a bad one.

    Any id and secret are good but the key `invalid_key`; a tenant (Enterprise Hub) but `invalid_tenant`.
    """
    if content_type != "application/x-www-form-urlencoded":
        return _bad("invalid_request")
    form = {name: values[0] for name, values in parse_qs(body.decode(errors="replace")).items()}
    if form.get("grant_type") != "client_credentials":
        return _bad("unsupported_grant_type" if form.get("grant_type") else "invalid_request")
    client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
    if not client_id or not secret or secret != secret.strip() or INVALID_KEY in (client_id, secret):
        return _bad("invalid_client")
    if form.get("tenant") == INVALID_TENANT:
        return _bad("invalid_client")
    return client_id


def _bad(error: str) -> Answer:
    return Answer(400, TokenError(error=error).answer())
