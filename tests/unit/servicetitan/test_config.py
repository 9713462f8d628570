"""What people paste is taken as they meant it, and secrets are not shown."""

import pytest

from app.business_file import load_business
from app.servicetitan.config import UpstreamConfig


def make(**changes: str) -> UpstreamConfig:
    values: dict[str, object] = {
        "api_url": "http://127.0.0.1:8200",
        "auth_url": "http://127.0.0.1:8200",
        "client_id": "cid.x",
        "client_secret": "cs1.secret",
        "app_key": "ak1.secret",
        "tenant_id": "1",
        "application_guid": "guid",
        "business": load_business(),
    }
    return UpstreamConfig(**(values | changes))  # type: ignore[arg-type]  # only texts are changed


@pytest.mark.parametrize("url", ["http://h:1", "http://h:1/", "http://h:1/v2", "http://h:1/v2/ "])
def test_the_api_url_loses_slash_and_version(url: str) -> None:
    assert make(api_url=url).api_root == "http://h:1"


@pytest.mark.parametrize(
    ("url", "token_url"),
    [
        ("https://auth.example", "https://auth.example/connect/token"),
        ("https://auth.example/", "https://auth.example/connect/token"),
        ("https://auth.example/connect/token", "https://auth.example/connect/token"),
        ("https://auth.example/oauth/token", "https://auth.example/oauth/token"),
    ],
)
def test_the_auth_url_is_a_host_or_the_whole_address(url: str, token_url: str) -> None:
    assert str(make(auth_url=url).token_url) == token_url


def test_a_trailing_newline_is_no_part_of_a_secret() -> None:
    assert make(client_secret="cs1.secret\n").client_secret == "cs1.secret"


def test_no_secret_is_shown() -> None:
    assert "secret" not in repr(make()).replace("client_secret", "")
