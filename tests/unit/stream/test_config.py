from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import faust
import pytest

from app.stream.config import AppConfig, credentials
from app.stream.faust_app import build_app

if TYPE_CHECKING:
    from pathlib import Path

TLS = ssl.create_default_context()
SIGN_IN = {
    "sasl_mechanism": "SCRAM-SHA-512",
    "sasl_plain_username": "bookings",
    "sasl_plain_password": "hidden",
}


def test_plain_text_needs_no_credentials() -> None:
    assert credentials({"security_protocol": "PLAINTEXT"}) is None
    assert credentials({}) is None


def test_tls_keeps_its_context() -> None:
    made = credentials({"security_protocol": "SSL", "ssl_context": TLS})
    assert isinstance(made, faust.SSLCredentials)
    assert made.context is TLS


@pytest.mark.parametrize(("protocol", "tls"), [("SASL_PLAINTEXT", None), ("SASL_SSL", TLS)])
def test_a_sign_in_keeps_its_mechanism(protocol: str, tls: ssl.SSLContext | None) -> None:
    made = credentials({"security_protocol": protocol, "ssl_context": tls, **SIGN_IN})
    assert isinstance(made, faust.SASLCredentials)
    assert (made.protocol.value, made.mechanism.value) == (protocol, "SCRAM-SHA-512")
    assert (made.username, made.password) == ("bookings", "hidden")


def test_no_secret_is_shown(tmp_path: Path) -> None:
    config = AppConfig(group="g", connection={"bootstrap_servers": ["a:1"], **SIGN_IN}, data_dir=tmp_path)
    assert "hidden" not in repr(config)


def test_faust_takes_its_settings_from_the_config_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "APP_ID",
        "BROKER_URL",
        "TOPIC_PARTITIONS",
        "CONSUMER_GROUP_INSTANCE_ID",
        "PROCESSING_GUARANTEE",
    ):
        monkeypatch.setenv(name, "7")
    config = AppConfig(
        group="my-group",
        connection={"bootstrap_servers": ["one:9092", "two:9093"]},
        data_dir=tmp_path / "new" / "data",
        partitions=6,
        session_timeout=200.0,
    )
    conf = build_app(config).conf
    assert (conf.id, conf.topic_partitions) == ("my-group", 6)
    assert not conf.consumer_group_instance_id
    assert [(url.host, url.port) for url in conf.broker] == [("one", 9092), ("two", 9093)]
    assert conf.broker_request_timeout >= conf.broker_session_timeout == 200.0
    assert conf.broker_rebalance_timeout > config.drain_limit + config.catch_up_limit
    assert not conf.web_enabled
    assert conf.stream_wait_empty is False
    assert (tmp_path / "new" / "data").is_dir()


def test_members_of_a_group_are_told_apart(tmp_path: Path) -> None:
    config = AppConfig(group="g", connection={"bootstrap_servers": ["a:1"]}, data_dir=tmp_path)
    assert build_app(config).conf.canonical_url != build_app(config).conf.canonical_url
