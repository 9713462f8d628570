"""docker-compose.yml: taken by a parser of the specification, and true to the repo in all that it names.

No Docker engine is needed, and none was: whether images start is not seen here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from compose_spec import PyCompose

from app.commands.cli import ROWS
from app.local.jars import KAFKA_VERSION
from app.local.kafka import single_node_properties
from app.setting_types import Mode
from app.settings import Settings, load
from tests.deploy.dockerfile import Dockerfile
from tests.support.broker import container_environment

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
IMAGE = Dockerfile.read()


def resolved(environ: dict[str, str]) -> dict[str, Any]:
    """The file with its variables put in and its merges done."""
    filled = re.sub(r"\$\{([A-Z_]+):-([^}]*)\}", lambda found: environ.get(found[1], found[2]), TEXT)
    assert "${" not in filled
    document: dict[str, Any] = yaml.safe_load(filled)
    return document


COMPOSE = resolved({})
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
WORKERS = {name: service for name, service in OURS.items() if service["command"] == ["worker"]}


def published(service: dict[str, Any]) -> list[tuple[str, str]]:
    """(port on the host, port inside), all on loopback."""
    found = [re.fullmatch(r"127\.0\.0\.1:(\d+):(\d+)", port) for port in service.get("ports", [])]
    assert all(found)
    return [(each[1], each[2]) for each in found if each]


def listens_on(name: str) -> set[int]:
    """The ports that a service listens on, by its own settings."""
    service = SERVICES[name]
    match name:
        case "kafka":
            listeners = service["environment"]["KAFKA_LISTENERS"]
            return {int(each.rpartition(":")[2]) for each in listeners.split(",")}
        case "simulator":
            context = ROWS["simulator"].load().make_context("simulator", list(service["command"][1:]))
            return {context.params["port"]}
        case "prometheus":
            return {9090}
        case "grafana":
            return {3000}
        case _:
            return {load(service["environment"]).web_port}


def test_a_parser_of_the_specification_takes_it() -> None:
    taken = PyCompose.from_json(orjson.dumps(COMPOSE).decode())
    taken.validate()
    assert set(taken.service_names()) == set(SERVICES)


def test_the_parser_refuses_what_is_no_compose_file() -> None:
    wrong = {**COMPOSE, "services": {"kafka": {**SERVICES["kafka"], "helthcheck": {}}}}
    with pytest.raises(ValueError, match="helthcheck"):
        PyCompose.from_json(orjson.dumps(wrong).decode())


def test_all_that_was_asked_for_is_there() -> None:
    assert set(SERVICES) == {
        "kafka",
        "topics",
        "simulator",
        "worker-1",
        "worker-2",
        "prometheus",
        "grafana",
    }
    assert set(WORKERS) == {"worker-1", "worker-2"}


@pytest.mark.parametrize("name", OURS)
def test_our_services_are_built_from_our_dockerfile_and_cannot_do_more_than_they_must(name: str) -> None:
    service = OURS[name]
    assert (ROOT / service["build"]["context"]) == ROOT
    assert (ROOT / service["build"]["dockerfile"]) == IMAGE.path
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]


@pytest.mark.parametrize("name", sorted(set(SERVICES) - set(OURS)))
def test_other_images_are_of_a_stated_version_and_content(name: str) -> None:
    image, _, digest = SERVICES[name]["image"].partition("@")
    # A digest and a tag together are more than the specification's parser takes: the version is said beside.
    found = re.search(rf"image: {re.escape(image)}@{digest} # (v?\d+\.\d+\.\d+)\n", TEXT)
    assert found
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", digest)
    assert image != "apache/kafka" or found[1] == KAFKA_VERSION


def test_our_image_is_made_from_one_base_of_stated_content() -> None:
    build, run = (stage.of("FROM")[0].removesuffix(" AS build") for stage in (IMAGE.build, IMAGE.image))
    assert build == run
    assert re.fullmatch(r"python:3\.11\.\d+-slim-bookworm@sha256:[0-9a-f]{64}", run)
    assert not [rest for rest in IMAGE.build.of("COPY") if rest.startswith("--from")]


@pytest.mark.parametrize("name", OURS)
def test_our_commands_exist_and_take_these_options(name: str) -> None:
    command, *options = OURS[name]["command"]
    ROWS[command].load().make_context(command, list(options))


@pytest.mark.parametrize(
    "name", [name for name, service in OURS.items() if "environment" in service and name != "simulator"]
)
def test_every_variable_is_a_setting_and_has_a_value_that_is_taken(name: str) -> None:
    environment = OURS[name]["environment"]
    assert set(environment) <= {field.upper() for field in Settings.model_fields}
    settings = load(environment)
    assert settings.mode is Mode.SIMULATION
    assert settings.kafka_bootstrap_servers == ("kafka:19092",)


def test_the_keys_can_be_chosen() -> None:
    chosen = resolved(
        {
            "ACT_KEY": "act-12345678901234",
            "READ_KEY": "read-12345678901",
            "WEBHOOK_SECRET": "hook-12345678901",
        }
    )
    settings = load(chosen["services"]["worker-1"]["environment"])
    (act,), (read,), (secret,) = settings.api_act_keys, settings.api_read_keys, settings.webhook_secrets
    assert act.key.get_secret_value() == "act-12345678901234"
    assert read.key.get_secret_value() == chosen["configs"]["read-key"]["content"] == "read-12345678901"
    assert secret.get_secret_value() == "hook-12345678901"
    simulator = chosen["services"]["simulator"]
    assert simulator["environment"]["SIMULATOR_WEBHOOK_SECRET"] == "hook-12345678901"
    assert "hook-12345678901" not in str(simulator["command"])


def test_every_variable_of_kafka_is_one_that_the_tests_use_or_a_name_for_its_listeners() -> None:
    given = SERVICES["kafka"]["environment"]
    known = {
        *container_environment("localhost", 9092),
        "KAFKA_INTER_BROKER_LISTENER_NAME",
        "KAFKA_LOG_DIRS",
    }
    assert set(given) <= known
    alike = {
        f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in single_node_properties().items()
    }
    assert {name: given[name] for name in given if name in alike} == {
        name: value for name, value in alike.items() if name in given
    }


def test_kafka_tells_clients_addresses_that_they_reach() -> None:
    environment = SERVICES["kafka"]["environment"]
    advertised = dict(each.split("://") for each in environment["KAFKA_ADVERTISED_LISTENERS"].split(","))
    inside, outside = advertised["INSIDE"], advertised["HOST"]
    assert inside == WORKERS["worker-1"]["environment"]["KAFKA_BOOTSTRAP_SERVERS"]
    assert outside == "127.0.0.1:9092"
    assert published(SERVICES["kafka"]) == [("9092", "9092")]
    assert environment["KAFKA_LOG_DIRS"] in {volume.split(":")[1] for volume in SERVICES["kafka"]["volumes"]}


@pytest.mark.parametrize("name", [name for name, service in SERVICES.items() if "ports" in service])
def test_a_published_port_is_one_that_is_listened_on(name: str) -> None:
    assert {int(inside) for _, inside in published(SERVICES[name])} <= listens_on(name)


def test_no_port_of_the_host_is_taken_twice() -> None:
    ports = [outside for service in SERVICES.values() for outside, _ in published(service)]
    assert len(ports) == len(set(ports))


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_waited_for_can_come_true(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        if how["condition"] == "service_completed_successfully":
            assert SERVICES[other]["restart"] == "no"
        else:
            assert how["condition"] == "service_healthy"
            assert "healthcheck" in SERVICES[other]


def test_everything_that_stays_has_a_health_check_and_comes_back() -> None:
    for name, service in SERVICES.items():
        stays = name != "topics"
        assert ("healthcheck" in service) is stays
        assert (service["restart"] == "on-failure") is stays


@pytest.mark.parametrize("name", [name for name, service in SERVICES.items() if "healthcheck" in service])
def test_health_is_asked_of_the_service_itself(name: str) -> None:
    test: list[str] = SERVICES[name]["healthcheck"]["test"]
    assert test[0] == "CMD"
    if name in OURS:
        assert test[1:4] == IMAGE.health_check
    ports = {int(port) for port in re.findall(r":(\d+)", " ".join(test[1:]))}
    assert ports <= listens_on(name)


@pytest.mark.parametrize("name", SERVICES)
def test_every_mount_exists(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        source = volume.split(":")[0]
        assert (ROOT / source).exists() if source.startswith("./") else source in COMPOSE["volumes"], volume


def test_each_worker_has_a_data_dir_of_its_own() -> None:
    volumes = [service["volumes"] for service in WORKERS.values()]
    assert [[each.split(":")[1] for each in of_one] for of_one in volumes] == [[IMAGE.env["DATA_DIR"]]] * 2
    assert len({each for of_one in volumes for each in of_one}) == 2


def test_webhooks_reach_a_worker() -> None:
    (url,) = (each.partition("=")[2] for each in OURS["simulator"]["command"] if "webhook-url" in each)
    found = re.fullmatch(r"http://([\w-]+):(\d+)(/.*)", url)
    assert found
    assert found[1] in WORKERS
    assert int(found[2]) in listens_on(found[1])
    assert found[3] == "/api/integrations/servicetitan/webhook"


def test_prometheus_asks_both_workers_with_the_key_it_is_given() -> None:
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text(encoding="utf-8"))
    (scrape,) = config["scrape_configs"]
    (static,) = scrape["static_configs"]
    assert {target.split(":")[0] for target in static["targets"]} == set(WORKERS)
    for target in static["targets"]:
        assert int(target.split(":")[1]) in listens_on(target.split(":")[0])
    (mounted,) = SERVICES["prometheus"]["configs"]
    assert mounted["target"] == scrape["authorization"]["credentials_file"]
    mounts = [volume.split(":")[1] for volume in SERVICES["prometheus"]["volumes"]]
    assert {f"/etc/prometheus/{name}" for name in ("prometheus.yml", *config["rule_files"])} <= set(mounts)


def test_grafana_finds_prometheus_and_the_dashboard() -> None:
    provisioning = ROOT / "deploy/grafana/provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())["datasources"]
    name, _, port = source["url"].removeprefix("http://").partition(":")
    assert int(port) in listens_on(name)
    (provider,) = yaml.safe_load((provisioning / "dashboards/dashboards.yml").read_text())["providers"]
    mounts = dict(volume.split(":")[1::-1] for volume in SERVICES["grafana"]["volumes"])
    folder = ROOT / mounts[provider["options"]["path"]]
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (folder / Path(home).name).is_file()
    assert str(Path(home).parent) == provider["options"]["path"]
