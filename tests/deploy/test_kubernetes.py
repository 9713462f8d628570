"""The manifests: rendered by kustomize, valid for Kubernetes, true to the repo. No cluster is needed."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from app.commands.cli import ROWS
from app.commands.worker import KAFKA_SECONDS
from app.setting_types import Mode
from app.settings import Settings, load
from app.stream.topology import topics
from tests.deploy.dockerfile import Dockerfile
from tests.deploy.project import PROJECT
from tests.kubernetes import KUBERNETES, TOPICS_FILE, env_file, kafka_topics, live_environment

OVERLAYS = ("simulation", "live")
OWN_KINDS = {"KafkaTopic", "ScaledObject", "TriggerAuthentication"}
IMAGE = Dockerfile.read()
Resource = dict[str, Any]


def render(folder: Path) -> list[Resource]:
    kubectl = Path(sys.executable).with_name("kubectl")
    done = subprocess.run(
        [kubectl, "kustomize", folder], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture(scope="module", params=OVERLAYS)
def rendered(request: pytest.FixtureRequest) -> list[Resource]:
    return render(KUBERNETES / "overlays" / request.param)


@pytest.fixture(scope="module")
def live() -> list[Resource]:
    return render(KUBERNETES / "overlays" / "live")


@pytest.fixture(scope="module")
def with_keda(tmp_path_factory: pytest.TempPathFactory) -> list[Resource]:
    """The base with the component, as the overlay's text says to do it."""
    folder = tmp_path_factory.mktemp("overlay")
    copied = shutil.copytree(KUBERNETES, folder / "kubernetes")
    own = copied / "overlays" / "keda"
    own.mkdir()
    content = {"resources": ["../../base"], "components": ["../../components/keda"]}
    (own / "kustomization.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return render(own)


def of_kind(kind: str, resources: list[Resource]) -> list[Resource]:
    return [resource for resource in resources if resource["kind"] == kind]


def workers(resources: list[Resource]) -> Resource:
    (found,) = of_kind("StatefulSet", resources)
    return found


def pod_of(resource: Resource) -> Resource:
    template: Resource = resource["spec"]["template"]
    return template


def pods(resources: list[Resource]) -> list[Resource]:
    return [pod_of(each) for kind in ("StatefulSet", "Deployment") for each in of_kind(kind, resources)]


def container_of(pod: Resource) -> Resource:
    (container,) = pod["spec"]["containers"]
    found: Resource = container
    return found


def environment(resources: list[Resource]) -> tuple[dict[str, str], dict[str, str]]:
    """What a worker finds: from the ConfigMap, and from the Secret or, where it is not made, its example."""
    named = {(each["kind"], each["metadata"]["name"]): each for each in resources}
    config, secret = {}, {}
    for source in container_of(pod_of(workers(resources)))["envFrom"]:
        if "configMapRef" in source:
            config = named["ConfigMap", source["configMapRef"]["name"]]["data"]
        elif ("Secret", source["secretRef"]["name"]) in named:
            held = named["Secret", source["secretRef"]["name"]]["data"]
            secret = {name: base64.b64decode(value).decode() for name, value in held.items()}
        else:
            assert source["secretRef"]["name"] == "servicetitan-stream"
            secret = env_file(KUBERNETES / "overlays" / "live" / "secret.example.env")
    return config, secret


def test_kubernetes_takes_every_resource(rendered: list[Resource], with_keda: list[Resource]) -> None:
    version = kubernetes_validate.latest_version()
    checked = 0
    for resource in (*rendered, *with_keda):
        if resource["kind"] not in OWN_KINDS:
            kubernetes_validate.validate(resource, version, strict=True)
            checked += 1
    assert checked > 12


def test_a_wrong_resource_is_noticed(live: list[Resource]) -> None:
    wrong = {**workers(live), "spec": {**workers(live)["spec"], "replica": 3}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, kubernetes_validate.latest_version(), strict=True)


def test_every_file_is_used() -> None:
    used = {KUBERNETES / "overlays" / "live" / "secret.example.env"}
    for file in KUBERNETES.rglob("kustomization.yaml"):
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        names = [
            *content.get("resources", []),
            *(p["path"] for p in content.get("patches", []) if "path" in p),
        ]
        names += [env for each in content.get("configMapGenerator", []) for env in each.get("envs", [])]
        used |= {file, *((file.parent / name).resolve() for name in names)}
    assert {file for file in KUBERNETES.rglob("*") if file.is_file()} <= used


@pytest.mark.parametrize(("overlay", "mode"), [("simulation", Mode.SIMULATION), ("live", Mode.LIVE)])
def test_the_settings_are_taken_and_lead_to_the_mode(overlay: str, mode: Mode, tmp_path: Path) -> None:
    config, secret = environment(render(KUBERNETES / "overlays" / overlay))
    certificates = tmp_path / "ca.crt"
    certificates.touch()
    given = {**config, **secret}
    if "KAFKA_CA_FILE" in given:
        given["KAFKA_CA_FILE"] = str(certificates)
    settings = load(given)
    assert settings.mode is mode
    assert not settings.notices


def test_what_is_secret_stands_in_the_secret_alone(rendered: list[Resource]) -> None:
    config, secret = environment(rendered)
    is_secret = {
        name.upper()
        for name, field in Settings.model_fields.items()
        if field.json_schema_extra["secret"]  # type: ignore[index]  # every field has the dict of `_setting`
    } | {"SERVICETITAN_CLIENT_SECRET"}
    assert not set(config) & is_secret
    assert set(secret) & is_secret


def test_no_real_secret_is_in_the_repo() -> None:
    example = env_file(KUBERNETES / "overlays" / "live" / "secret.example.env")
    secrets = {"KAFKA_SASL_PASSWORD", "SERVICETITAN_CLIENT_SECRET", "SERVICETITAN_APP_KEY", "API_ACT_KEYS"}
    assert all("fill-in" in example[name] for name in secrets)
    assert not of_kind("Secret", render(KUBERNETES / "overlays" / "live"))


def test_selectors_find_the_pods_they_are_for(rendered: list[Resource]) -> None:
    labels = [pod["metadata"]["labels"] for pod in pods(rendered)]
    worker = pod_of(workers(rendered))["metadata"]["labels"]

    def found(selector: dict[str, str]) -> list[dict[str, str]]:
        return [each for each in labels if selector.items() <= each.items()]

    for service in of_kind("Service", rendered):
        assert len(found(service["spec"]["selector"])) == 1, service
    spec = workers(rendered)["spec"]
    spreads = pod_of(workers(rendered))["spec"]["topologySpreadConstraints"]
    (budget,) = of_kind("PodDisruptionBudget", rendered)
    (policy,) = of_kind("NetworkPolicy", rendered)
    selectors = [
        spec["selector"],
        budget["spec"]["selector"],
        policy["spec"]["podSelector"],
        *(spread["labelSelector"] for spread in spreads),
    ]
    assert [found(selector["matchLabels"]) for selector in selectors] == [[worker]] * len(selectors)
    services = {each["metadata"]["name"]: each for each in of_kind("Service", rendered)}
    assert services[spec["serviceName"]]["spec"]["clusterIP"] == "None"


def test_ports_are_the_ones_that_are_listened_on(rendered: list[Resource]) -> None:
    config, secret = environment(rendered)
    config.pop("KAFKA_CA_FILE", None)
    container = container_of(pod_of(workers(rendered)))
    (port,) = container["ports"]
    assert port["containerPort"] == load({**config, **secret}).web_port
    for deployment in of_kind("Deployment", rendered):
        simulator = container_of(pod_of(deployment))
        context = ROWS["simulator"].load().make_context("simulator", list(simulator["args"][1:]))
        assert simulator["ports"][0]["containerPort"] == context.params["port"]
    for service in of_kind("Service", rendered):
        assert [each["targetPort"] for each in service["spec"]["ports"]] == ["http"]


def test_pods_are_of_our_image_with_nothing_but_what_they_need(rendered: list[Resource]) -> None:
    uid, gid = (int(part) for part in IMAGE.image.of("USER")[0].split(":"))
    for pod in pods(rendered):
        context, container = pod["spec"]["securityContext"], container_of(pod)
        assert context["runAsNonRoot"] is True
        assert (context["runAsUser"], context["runAsGroup"]) == (uid, gid)
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert pod["spec"]["automountServiceAccountToken"] is False
        name, _, tag = container["image"].rpartition(":")
        assert (name.rpartition("/")[2], tag) == (PROJECT["name"], PROJECT["version"])
        command, *options = container["args"]
        ROWS[command].load().make_context(command, list(options))
        assert {"requests", "limits"} == set(container["resources"])


def test_each_worker_keeps_a_store_of_its_own(rendered: list[Resource]) -> None:
    spec = workers(rendered)["spec"]
    (claim,) = spec["volumeClaimTemplates"]
    mounts = {
        each["mountPath"]: each["name"] for each in container_of(pod_of(workers(rendered)))["volumeMounts"]
    }
    assert mounts[IMAGE.env["DATA_DIR"]] == claim["metadata"]["name"]
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    declared = {volume["name"] for volume in pod_of(workers(rendered))["spec"]["volumes"]}
    assert set(mounts.values()) == declared | {claim["metadata"]["name"]}


def test_probes_leave_time_for_kafka_and_for_recovery(rendered: list[Resource]) -> None:
    container = container_of(pod_of(workers(rendered)))
    start, live, ready = (container[f"{name}Probe"] for name in ("startup", "liveness", "readiness"))
    assert start["periodSeconds"] * start["failureThreshold"] > 2 * KAFKA_SECONDS
    # Only being ready may depend on recovery, which has no bound.
    assert [probe["httpGet"]["path"] for probe in (start, live, ready)] == ["/live", "/live", "/ready"]
    assert all(probe["httpGet"]["port"] == "http" for probe in (start, live, ready))


def test_a_drain_ends_before_the_pod_is_killed(rendered: list[Resource]) -> None:
    one_call = Settings.model_fields["servicetitan_timeout_seconds"].default
    # The drain's margin, and the two last steps that are bounded by 10 s each (app/stream/faust_app.py).
    assert pod_of(workers(rendered))["spec"]["terminationGracePeriodSeconds"] >= one_call + 5 + 10 + 10


def test_one_worker_at_a_time_is_taken_away(rendered: list[Resource]) -> None:
    (budget,) = of_kind("PodDisruptionBudget", rendered)
    assert budget["spec"]["maxUnavailable"] == 1
    assert workers(rendered)["spec"]["replicas"] > 1
    assert workers(rendered)["spec"]["updateStrategy"] == {"type": "RollingUpdate"}


def test_workers_reach_names_kafka_and_their_servicetitan(rendered: list[Resource]) -> None:
    config, _ = environment(rendered)
    (policy,) = of_kind("NetworkPolicy", rendered)
    allowed = {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}
    kafka = int(config["KAFKA_BOOTSTRAP_SERVERS"].rpartition(":")[2])
    found = re.fullmatch(r"(https?)://[\w.-]+?(?::(\d+))?", config["SERVICETITAN_API_URL"])
    assert found
    assert {53, kafka, int(found[2] or {"https": 443, "http": 80}[found[1]])} <= allowed


def test_the_simulator_is_where_the_workers_look_for_it() -> None:
    resources = render(KUBERNETES / "overlays" / "simulation")
    config, secret = environment(resources)
    names = {each["metadata"]["name"] for each in of_kind("Service", resources)}
    assert config["SERVICETITAN_API_URL"] == "http://simulator:8200"
    (deployment,) = of_kind("Deployment", resources)
    options = dict(option.split("=", 1) for option in container_of(pod_of(deployment))["args"][1:])
    (signs,) = container_of(pod_of(deployment))["env"]
    assert signs["name"] == "SIMULATOR_WEBHOOK_SECRET"
    assert signs["valueFrom"]["secretKeyRef"]["key"] in secret
    host = options["--webhook-url"].removeprefix("http://").partition("/")[0]
    assert {"simulator", host} <= names


def test_the_topics_are_those_of_the_code() -> None:
    assert TOPICS_FILE.read_text(encoding="utf-8") == kafka_topics(), "run: python -m tests.kubernetes"
    found = render(KUBERNETES / "kafka-topics")
    assert len(found) == len(list(topics(load(live_environment()))))
    for topic in found:
        assert topic["kind"] == "KafkaTopic"
        assert topic["metadata"]["namespace"] == "kafka"
        assert re.fullmatch(r"[a-z0-9.-]+", topic["metadata"]["name"])


def test_keda_scales_the_workers_on_the_lag_of_our_group(with_keda: list[Resource]) -> None:
    (scaled,) = of_kind("ScaledObject", with_keda)
    settings = load(live_environment())
    spec = scaled["spec"]
    assert spec["scaleTargetRef"]["name"] == workers(with_keda)["metadata"]["name"]
    assert spec["maxReplicaCount"] == settings.topic_partitions
    assert "replicas" not in workers(with_keda)["spec"]
    (trigger,) = spec["triggers"]
    assert trigger["metadata"]["topic"] == topics(settings).booking_events.name
    assert trigger["metadata"]["consumerGroup"] == topics(settings).consumer_group
    assert trigger["metadata"]["bootstrapServers"] in settings.kafka_bootstrap_servers
    (authentication,) = of_kind("TriggerAuthentication", with_keda)
    keys = {each["key"] for each in authentication["spec"]["secretTargetRef"] if each["name"] != "kafka-ca"}
    assert keys <= set(env_file(KUBERNETES / "overlays" / "live" / "secret.example.env"))
