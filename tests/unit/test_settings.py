"""The settings: defaults, parsing, one-line refusals, secrets kept."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.setting_types import Mode
from app.settings import Settings, SettingsWrong, as_markdown, load
from tests.readme import TABLES, with_tables

EVERYWHERE = "0.0.0.0"  # noqa: S104 - nothing is bound here
LIVE = {
    "SERVICETITAN_API_URL": "https://api.servicetitan.io",
    "SERVICETITAN_CLIENT_ID": "cid.abc",
    "SERVICETITAN_API_KEY": "cs1.topsecret",
    "SERVICETITAN_APP_KEY": "ak1.topsecret",
    "SERVICETITAN_TENANT_ID": "12345",
    "SERVICETITAN_APPLICATION_GUID": "0d3b8c1e-6f5a-4f0e-9c3a-111111111111",
}


def refusal(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsWrong) as caught:
        load(environ)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_everything_has_a_default_in_simulation() -> None:
    settings = load({})
    assert settings.mode is Mode.SIMULATION
    assert settings.kafka_bootstrap_servers == ("localhost:9092",)
    assert settings.servicetitan_api_url == settings.servicetitan_auth_url == "http://127.0.0.1:8200"
    assert settings.token_url == "http://127.0.0.1:8200/connect/token"
    assert settings.servicetitan_settle_seconds == 5
    assert settings.retry_delays == (5, 10, 20)
    assert settings.servicetitan_api_key.get_secret_value()
    assert settings.notices == ()


def test_an_empty_variable_counts_as_not_set() -> None:
    assert load({"WEB_PORT": "", "KAFKA_SASL_USERNAME": "  ", "SERVICETITAN_CLIENT_SECRET": ""}) == load({})


def test_blanks_around_values_and_entries_are_dropped() -> None:
    settings = load({"KAFKA_BOOTSTRAP_SERVERS": " a:1, b:2 ,", "RETRY_DELAYS": "1, 2"})
    assert settings.kafka_bootstrap_servers == ("a:1", "b:2")
    assert settings.retry_delays == (1, 2)


@pytest.mark.parametrize(
    ("url", "mode"),
    [
        ("https://api.servicetitan.io", Mode.LIVE),
        ("https://API.ServiceTitan.io./v2/", Mode.LIVE),
        ("https://api-integration.servicetitan.io", Mode.SANDBOX),
        ("http://127.0.0.1:8200", Mode.SIMULATION),
        ("http://[::1]:8200", Mode.SIMULATION),
    ],
)
def test_the_api_host_decides_the_mode(url: str, mode: Mode) -> None:
    assert load({**LIVE, "SERVICETITAN_API_URL": url}).mode is mode


OTHER_HOSTS = [
    "https://api.servicetitan.io.evil.com",
    "https://notservicetitan.io",
    "https://go.servicetitan.com",
    "http://simulator:8200",
    "nonsense",
]


@pytest.mark.parametrize("url", OTHER_HOSTS)
@pytest.mark.parametrize("credentials", [{}, LIVE])
def test_any_other_host_must_say_its_mode(url: str, credentials: dict[str, str]) -> None:
    environ = {**credentials, "SERVICETITAN_API_URL": url}
    line = refusal(environ)
    assert "SERVICETITAN_MODE missing" in line
    assert "live, sandbox" in line
    assert load({**environ, "SERVICETITAN_MODE": "Simulation"}).mode is Mode.SIMULATION


def test_a_proxy_of_ones_own_is_live_when_it_is_said() -> None:
    said = {"SERVICETITAN_MODE": "live"}
    for url in ("https://proxy.example.com/st", "http://127.0.0.1:3128"):
        settings = load({**LIVE, **said, "SERVICETITAN_API_URL": url})
        assert (settings.mode, settings.servicetitan_settle_seconds) == (Mode.LIVE, 105)
        assert settings.notices
    assert "SERVICETITAN_CLIENT_ID" in refusal({**said, "SERVICETITAN_API_URL": "https://proxy.example.com"})
    assert "https" in refusal({**LIVE, **said, "SERVICETITAN_API_URL": "http://proxy.example.com"})
    assert "https" in refusal({**LIVE, "SERVICETITAN_AUTH_URL": "http://proxy.example.com"})


@pytest.mark.parametrize("mode", ["simulation", "sandbox"])
def test_servicetitan_itself_is_nothing_else(mode: str) -> None:
    assert f"SERVICETITAN_MODE is {mode}" in refusal({**LIVE, "SERVICETITAN_MODE": mode})


@pytest.mark.parametrize(
    "url", ["https://", "http://-a", "http://a..b", "http://a b", "http://a:99999", "%%", "/v2"]
)
def test_what_is_no_address_of_a_host_stops_the_start(url: str) -> None:
    assert "SERVICETITAN_API_URL" in refusal({"SERVICETITAN_API_URL": url, "SERVICETITAN_MODE": "simulation"})


@pytest.mark.parametrize(
    ("given_url", "api_url"),
    [
        ("http://127.0.0.1:8200/v2", "http://127.0.0.1:8200"),
        ("http://127.0.0.1:8200/v2/", "http://127.0.0.1:8200"),
        ("http://127.0.0.1:8200/", "http://127.0.0.1:8200"),
        ("https://proxy.example.com/st/v2", "https://proxy.example.com/st"),
        ("localhost:8200", "http://localhost:8200"),
        ("proxy.example.com", "https://proxy.example.com"),
    ],
)
def test_the_api_url_loses_its_trailing_version(given_url: str, api_url: str) -> None:
    environ = {"SERVICETITAN_API_URL": given_url, "SERVICETITAN_MODE": "simulation"}
    assert load(environ).servicetitan_api_url == api_url


@pytest.mark.parametrize(
    ("auth", "token_url"),
    [
        ("https://auth.servicetitan.io", "https://auth.servicetitan.io/connect/token"),
        ("auth.servicetitan.io", "https://auth.servicetitan.io/connect/token"),
        ("https://auth.servicetitan.io/connect/token", "https://auth.servicetitan.io/connect/token"),
        ("https://auth.servicetitan.io/other/token", "https://auth.servicetitan.io/other/token"),
    ],
)
def test_the_auth_url_is_a_host_or_the_full_token_url(auth: str, token_url: str) -> None:
    assert load({**LIVE, "SERVICETITAN_AUTH_URL": auth}).token_url == token_url


def test_the_auth_url_follows_the_api_url() -> None:
    simulated = {"SERVICETITAN_API_URL": "http://sim:1/v2", "SERVICETITAN_MODE": "simulation"}
    assert load(simulated).token_url == "http://sim:1/connect/token"
    assert load(LIVE).token_url == "https://auth.servicetitan.io/connect/token"
    sandbox = load({**LIVE, "SERVICETITAN_API_URL": "https://api-integration.servicetitan.io"})
    assert sandbox.token_url == "https://auth-integration.servicetitan.io/connect/token"


def test_live_waits_as_long_as_servicetitan_lets_a_request_run() -> None:
    assert load(LIVE).servicetitan_settle_seconds == 105
    assert load({**LIVE, "SERVICETITAN_SETTLE_SECONDS": "7.5"}).servicetitan_settle_seconds == 7.5


@pytest.mark.parametrize("name", [name for name in LIVE if name != "SERVICETITAN_API_URL"])
def test_live_names_the_credential_that_is_missing(name: str) -> None:
    line = refusal({key: value for key, value in LIVE.items() if key != name})
    assert name in line
    assert not [other for other in LIVE if other not in (name, "SERVICETITAN_API_URL") and other in line]


def test_live_names_all_that_is_missing_at_once() -> None:
    line = refusal({"SERVICETITAN_API_URL": LIVE["SERVICETITAN_API_URL"]})
    assert all(name in line for name in LIVE)


def test_live_says_at_start_that_webhooks_need_a_secret() -> None:
    assert "WEBHOOK_SECRETS" in load(LIVE).notices[0]
    assert load({**LIVE, "WEBHOOK_SECRETS": "s" * 16}).notices == ()


def test_the_client_secret_has_two_names() -> None:
    both = {"SERVICETITAN_CLIENT_SECRET": "one", "SERVICETITAN_API_KEY": "one"}
    assert load({"SERVICETITAN_CLIENT_SECRET": "one"}) == load({"SERVICETITAN_API_KEY": "one"}) == load(both)
    assert "SERVICETITAN_CLIENT_SECRET" in refusal({**both, "SERVICETITAN_API_KEY": "two"})


def test_keys_have_names_or_are_called_after_their_place() -> None:
    settings = load({"API_ACT_KEYS": f"ann:{'a' * 16}, {'b' * 16}", "API_READ_KEYS": "c" * 16})
    held = [(key.name, key.key.get_secret_value()) for key in settings.api_act_keys]
    assert held == [("ann", "a" * 16), ("act-2", "b" * 16)]
    assert [key.name for key in settings.api_read_keys] == ["read-1"]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("WEBHOOK_SECRETS", "whsec_", "a secret has 0 bytes, it needs at least 16"),
        ("WEBHOOK_SECRETS", "a", "a secret has 1 bytes, it needs at least 16"),
        ("WEBHOOK_SECRETS", f"{'s' * 16},whsec_MTIzNDU2Nzg5MDEyMzQ1", "a secret has 15 bytes"),
        ("API_ACT_KEYS", "a", "key 1 has 1 characters, a key needs at least 16"),
        ("API_READ_KEYS", f"ann:{'r' * 16},bo:{'r' * 15}", "key 2 has 15 characters"),
    ],
)
def test_a_secret_that_may_be_guessed_stops_the_start(name: str, value: str, said: str) -> None:
    assert f"{name}: {said}" in refusal({name: value})


def test_another_host_than_loopback_needs_act_keys() -> None:
    assert "API_ACT_KEYS" in refusal({"WEB_HOST": EVERYWHERE})
    assert "API_ACT_KEYS" in refusal({"WEB_HOST": EVERYWHERE, "API_READ_KEYS": "k" * 16})
    assert load({"WEB_HOST": EVERYWHERE, "API_ACT_KEYS": "k" * 16}).web_host == EVERYWHERE
    for host in ("localhost", "127.0.0.9", "::1"):
        assert load({"WEB_HOST": host}).web_host == host


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"WEB_PORT": "abc"}, "WEB_PORT is 'abc'"),
        ({"WEB_PORT": "70000"}, "1 to 65535"),
        ({"RETRY_DELAYS": "5,1.5"}, "whole numbers of seconds"),
        ({"RETRY_DELAYS": "0"}, "RETRY_DELAYS"),
        ({"RETRY_DELAYS": "1,2,3,4,5,6"}, "1 to 5 whole"),
        ({"RETRY_DELAYS": ","}, "RETRY_DELAYS"),
        ({"KAFKA_BOOTSTRAP_SERVERS": "broker"}, "host:port"),
        ({"KAFKA_BOOTSTRAP_SERVERS": "kafka://broker:9092"}, "host:port"),
        ({"KAFKA_SECURITY_PROTOCOL": "TLS"}, "SASL_SSL"),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "KAFKA_SASL_USERNAME"),
        ({"KAFKA_SASL_USERNAME": "me"}, "SASL_PLAINTEXT"),
        ({"KAFKA_CA_FILE": "/no/such.pem", "KAFKA_SECURITY_PROTOCOL": "SSL"}, "no such file"),
        ({"TOPIC_PREFIX": "a b"}, "TOPIC_PREFIX"),
        ({"BUSINESS_TIME_ZONE": "America/Phoenix"}, "time_zone in the business file (BUSINESS_FILE)"),
        ({"SERVICETITAN_CAMPAIGN": "Website"}, "campaign in the business file (BUSINESS_FILE)"),
        ({"BUSINESS_FILE": "/nowhere.toml"}, "BUSINESS_FILE"),
        ({"STORE": "sqlite"}, "rocksdb, memory"),
        ({"LOG_LEVEL": "loud"}, "WARNING"),
        ({"SERVICETITAN_API_URL": "ftp://x"}, "SERVICETITAN_API_URL"),
        ({"SERVICETITAN_CALLS_PER_SECOND": "0"}, "above 0"),
        ({"SERVICETITAN_CALLS_PER_SECOND": "nan"}, "above 0"),
        ({"SERVICETITAN_TENANT_ID": "a/b"}, "SERVICETITAN_TENANT_ID"),
        ({**LIVE, "SERVICETITAN_TENANT_ID": "abc"}, "SERVICETITAN_TENANT_ID"),
        ({**LIVE, "SERVICETITAN_API_URL": "http://api.servicetitan.io"}, "https"),
        ({**LIVE, "SERVICETITAN_AUTH_URL": "http://127.0.0.1:1"}, "the same mode"),
        ({**LIVE, "SERVICETITAN_APPLICATION_GUID": "x"}, "a GUID"),
        ({"WEBHOOK_SIGNATURE_ENCODING": "hax"}, "hex, base64"),
    ],
)
def test_a_wrong_setting_is_refused_in_one_line(environ: dict[str, str], said: str) -> None:
    assert said in refusal(environ)


def test_all_wrong_settings_are_named_at_once() -> None:
    line = refusal({"WEB_PORT": "x", "STORE": "y"})
    assert "WEB_PORT" in line
    assert "STORE" in line


def test_a_line_break_in_a_value_stays_on_the_line() -> None:
    refusal({"STORE": "a\nb"})


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("KAFKA_BOOTSTRAP_SERVER", "KAFKA_BOOTSTRAP_SERVERS"),
        ("RETRY_DELAY", "RETRY_DELAYS"),
        ("API_ACT_KEY", "API_ACT_KEYS"),
        ("SERVICETITAN_API_URI", "SERVICETITAN_API_URL"),
        ("WEB_PROT", "WEB_PORT"),
        ("SERVICETITAN_PASSWORD", "SERVICETITAN_APP_KEY"),
        ("TOPIC_COLOUR", "TOPIC_PREFIX"),
    ],
)
def test_a_variable_that_looks_like_ours_is_refused_and_the_right_one_named(name: str, meant: str) -> None:
    line = refusal({name: "hush-hush"})
    assert name in line
    assert meant in line
    assert "hush" not in line


@pytest.mark.parametrize(
    "name",
    [
        "KAFKA_HEAP_OPTS",
        "KAFKA_HOME",
        "WEB_CONCURRENCY",
        "LOG_DIR",
        "DATA_CENTER",
        "SERVICETITAN_STREAM_SERVICE_HOST",
        "SERVICETITAN_STREAM_PORT_6066_TCP_ADDR",
        "KAFKA_PORT",
        "PATH",
    ],
)
def test_what_other_programs_put_into_the_environment_is_left_alone(name: str) -> None:
    assert load({name: "x"}) == load({})


@pytest.mark.parametrize(
    "environ",
    [
        {"API_ACT_KEYS": "ann:topsecret topsecret"},
        {"API_ACT_KEYS": "topsecret-topsecret", "API_READ_KEYS": "topsecret-topsecret"},
        {"API_ACT_KEYS": "topsecret"},
        {"WEBHOOK_SECRETS": "topsecret"},
        {"WEBHOOK_SECRETS": "whsec_dG9wc2VjcmV0"},
        {"API_ACT_KEYS": "ann lee:topsecret"},
        {"WEBHOOK_SECRETS": "whsec_topsecret%"},
        {"SERVICETITAN_API_KEY": "topsecret", "SERVICETITAN_CLIENT_SECRET": "topsecret2"},
        {"KAFKA_SASL_PASSWORD": "topsecret"},
        {"SERVICETITAN_API_URL": "http://me:topsecret@host"},
        {**LIVE, "SERVICETITAN_TENANT_ID": ""},
    ],
)
def test_an_error_never_shows_a_secret(environ: dict[str, str]) -> None:
    assert "topsecret" not in refusal(environ)


def test_a_repr_never_shows_a_secret() -> None:
    settings = load(
        {
            **LIVE,
            "API_ACT_KEYS": "ann:topsecret-topsecret",
            "API_READ_KEYS": "topsecret-topsecret2",
            "WEBHOOK_SECRETS": "whsec_dG9wc2VjcmV0LXRvcHNlY3JldA==,topsecret-topsecret",
            "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "KAFKA_SASL_USERNAME": "me",
            "KAFKA_SASL_PASSWORD": "topsecret",
        }
    )
    assert "topsecret" not in repr(settings)
    assert "topsecret" not in str(settings)
    assert settings.webhook_secrets[1].get_secret_value() == "topsecret-topsecret"


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load({}).web_port = 1  # type: ignore[misc]  # the point of the test


def test_the_time_zone_can_be_used() -> None:
    zone = load({}).business.time_zone
    assert datetime(2026, 7, 1, 12, tzinfo=UTC).astimezone(zone).hour == 5


@given(st.sampled_from([name.upper() for name in Settings.model_fields]), st.text(max_size=40))
def test_any_text_is_taken_or_refused_in_one_line(name: str, text: str) -> None:
    try:
        load({name: text})
    except SettingsWrong as wrong:
        assert len(str(wrong).splitlines()) == 1  # noqa: PT017 - both outcomes are fine


def test_every_setting_has_a_row_with_meaning_and_bounds() -> None:
    rows = as_markdown().splitlines()[2:]
    assert len(rows) == len(Settings.model_fields)
    assert all(re.fullmatch(r"\| `[A-Z_]+` \| .+ \| .+\.( .+\.)? \| .+ \|", row) for row in rows)


@pytest.mark.parametrize("document", TABLES, ids=lambda document: document.name)
def test_documents_hold_the_tables_that_code_knows(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert with_tables(text, TABLES[document]) == text, "run: python -m tests.readme"


CONTRACT = """
KAFKA_BOOTSTRAP_SERVERS KAFKA_SECURITY_PROTOCOL KAFKA_SASL_MECHANISM KAFKA_SASL_USERNAME
KAFKA_SASL_PASSWORD KAFKA_CA_FILE KAFKA_SESSION_TIMEOUT_SECONDS TOPIC_PREFIX TOPIC_PARTITIONS
TOPIC_REPLICATION_FACTOR SERVICETITAN_API_URL SERVICETITAN_MODE SERVICETITAN_AUTH_URL SERVICETITAN_CLIENT_ID
SERVICETITAN_API_KEY SERVICETITAN_APP_KEY SERVICETITAN_TENANT_ID SERVICETITAN_APPLICATION_GUID
SERVICETITAN_CALLS_PER_SECOND SERVICETITAN_TIMEOUT_SECONDS SERVICETITAN_SETTLE_SECONDS
BUSINESS_FILE RETRY_DELAYS
MAX_CALLS_IN_FLIGHT KEEP_ENDED_DAYS SERVICETITAN_SWEEP_SECONDS STORE DATA_DIR
WEB_HOST WEB_PORT WEB_WAIT_SECONDS API_READ_KEYS API_ACT_KEYS WEBHOOK_SECRETS
WEBHOOK_SIGNATURE_HEADER WEBHOOK_SIGNATURE_ENCODING WEBHOOK_TOLERANCE_SECONDS LOG_FORMAT LOG_LEVEL
"""


def test_the_settings_are_the_contracts() -> None:
    assert [name.upper() for name in Settings.model_fields] == CONTRACT.split()
