"""deploy/RUNBOOK.md: what it quotes is what people will see, and what it has them type exists.

tests/slow/test_runbook.py runs its commands, all but the two set-ups: those need Docker or a cluster. Here
docker and kubectl are scripts that record what they are asked, which is held to compose file and manifests.
"""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiokafka
import pytest
import yaml

import app
from app.commands.cli import NAME, ROWS
from app.settings import Settings
from tests.deploy.dockerfile import Dockerfile
from tests.deploy.project import ROOT
from tests.deploy.promql import as_rules, problems
from tests.support.runbook import COMPOSE, KUBERNETES, TEXT, commands, functions, queries

# The alerts' queries are written and held by tests/readme.py, blocks of commands are run by the slow tests.
PROSE = " ".join(re.sub(r"^```\w+\n.*?^```$", "", TEXT, flags=re.MULTILINE | re.DOTALL).split())
QUOTED = sorted(set(re.findall(r'"([^"]+)"', re.sub(r"`[^`]*`", "", PROSE))))
SEARCHED = sorted(
    {word for command in commands() for word in re.findall(r"grep(?: -[Ev])? '([^']+)'", command)}
)
"""What is looked for in the log: regular expressions."""
ASKED_WITH = "a b c"
"""An argument that must stay one."""


def sources(package: str) -> str:
    """All text of a package, with string literals that go on over a line joined."""
    files = (file for file in Path(package).parent.rglob("*") if file.suffix in {".py", ".html"})
    return re.sub(r'"\s*\n\s*f?"', "", "\n".join(file.read_text(encoding="utf-8") for file in files))


SHOWN = "\n".join(
    (
        sources(app.__file__),
        sources(aiokafka.__file__),
        (ROOT / "deploy" / "grafana" / "dashboards" / "bookings.json").read_text(encoding="utf-8"),
        os.strerror(errno.ENOSPC),
    )
)


@pytest.mark.parametrize("quoted", QUOTED)
def test_what_is_quoted_is_printed_or_shown_somewhere(quoted: str) -> None:
    """Three dots and words in capitals stand for what differs from time to time."""
    pieces = [piece.strip() for piece in re.split(r"\.\.\.|\b[A-Z]{5,}(?:\[PARTITION\])?", quoted)]
    assert [piece for piece in pieces if piece not in SHOWN] == []


@pytest.mark.parametrize("searched", SEARCHED)
def test_what_is_looked_for_in_the_log_can_be_there(searched: str) -> None:
    if "(" in searched:
        before, among = searched.rstrip(")").split("(")
        alternatives = [before + each for each in among.split("|")]
    else:
        alternatives = searched.split("|")
    assert [each for each in alternatives if each not in SHOWN] == []


def test_there_is_something_quoted_and_searched() -> None:
    assert {"giving up:", "took partitions", "Ages"} <= set(QUOTED)
    assert "giving up" in SEARCHED


def test_every_command_of_ours_exists() -> None:
    named = {command.split()[1] for command in commands() if command.startswith(NAME)}
    assert {"topics", "dead-letters"} <= named <= set(ROWS)


def test_every_setting_exists() -> None:
    named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", PROSE))
    assert "RETRY_DELAYS" in named
    assert named <= {name.upper() for name in Settings.model_fields}


def test_every_query_written_by_hand_is_one_of_prometheus_and_of_our_metrics(tmp_path: Path) -> None:
    assert len(queries()) >= 2
    assert {query: problems(query) for query in queries()} == {query: [] for query in queries()}
    rules = tmp_path / "rules.yml"
    rules.write_text(as_rules(list(queries())), encoding="utf-8")
    done = subprocess.run(
        ["promtool", "check", "rules", rules], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


# The two set-ups -------------------------------------------------------------------------------------------


def asked(set_up: str, folder: Path) -> dict[str, list[list[str]]]:
    """By function, what docker and kubectl (and Kafka's own scripts) are asked when it is called."""
    record = folder / "asked"
    for name in ("docker", "kubectl", "curl", "kafka-topics.sh"):
        script = folder / name
        script.write_text('#!/bin/bash\nprintf "%s\\0" "${0##*/}" "$@" >>"$RECORD"; echo >>"$RECORD"\n')
        script.chmod(0o755)
    environ = {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "RECORD": str(record),
        "KAFKA": "broker:9092",
        "CLIENT_PROPERTIES": "client.properties",
    }
    found: dict[str, list[list[str]]] = {}
    for name in ("", *functions(set_up)):
        first = "topics" if name == "kafka" else '"$worker"' if name in {"restart", "without_view"} else ""
        call = f"{name} {first} '{ASKED_WITH}'" if name and name not in {"restart_all", "workers"} else name
        record.write_bytes(b"")
        done = subprocess.run(
            ["bash", "-euc", f"{set_up}\nwait; : >$RECORD\n{call}" if name else f"{set_up}\nwait"],
            env=environ,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, (name, done.stderr)
        found[name] = [line.split("\0")[:-1] for line in record.read_text().splitlines()]
    return found


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[list[str]]]:
    return asked(COMPOSE, tmp_path_factory.mktemp("compose"))


@pytest.fixture(scope="module")
def kubernetes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[list[str]]]:
    return asked(KUBERNETES, tmp_path_factory.mktemp("kubernetes"))


def test_both_set_ups_give_the_same_commands() -> None:
    assert set(functions(COMPOSE)) == set(functions(KUBERNETES))


@pytest.mark.parametrize("set_up", ["compose", "kubernetes"])
def test_arguments_reach_our_command_and_kafka_s_as_they_were_typed(
    set_up: str, request: pytest.FixtureRequest
) -> None:
    found = request.getfixturevalue(set_up)
    for name in (NAME, "kafka"):
        (line,) = found[name]
        assert line[-1] == ASKED_WITH, line
    assert any("kafka-topics.sh" in word for word in found["kafka"][0])


def test_compose_is_asked_for_what_its_file_has(compose: dict[str, list[list[str]]]) -> None:
    document = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    services: dict[str, Any] = document["services"]
    options = {"--all", "--no-log-prefix", "--since", "--detach", "--no-deps", "--wait", "--rm"}
    for name, lines in compose.items():
        for line in lines:
            if line[0] == "curl":
                continue
            assert line[:2] == ["docker", "compose"]
            ours = line[2 : line.index("--bootstrap-server")] if name == "kafka" else line[2:]
            named = {word for word in ours if re.fullmatch(r"worker.*|kafka", word)}
            assert named <= set(services)
            assert named or line[2] == "ps"
            assert {word for word in ours if word.startswith("--")} <= options | {"--entrypoint"}
    assert (
        f"INSIDE://{compose['kafka'][0][-2]}"
        in services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    )
    logged = {word for word in compose["logs"][0] if word.startswith("worker")}
    assert logged == {name for name in services if name.startswith("worker")}
    assert "127.0.0.1:6066:6066" in services["worker-1"]["ports"]
    assert [line[2] for line in compose["without_view"]] == ["stop", "run", "start"]


def test_kubernetes_is_asked_for_what_its_manifests_have(kubernetes: dict[str, list[list[str]]]) -> None:
    kubectl = Path(sys.executable).with_name("kubectl")
    done = subprocess.run(
        [kubectl, "kustomize", ROOT / "deploy" / "kubernetes" / "overlays" / "live"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    resources = {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(done.stdout)}
    workers = resources["StatefulSet", NAME]
    context, forward = sorted(kubernetes[""])
    assert ("Namespace", context[-1].removeprefix("--namespace=")) in resources
    (port,) = resources["Service", forward[2].removeprefix("service/")]["spec"]["ports"]
    assert forward[3] == f"6066:{port['port']}"
    assert kubernetes["restart_all"][0][1:] == ["rollout", "restart", f"statefulset/{NAME}"]
    selector = kubernetes["logs"][0][2].removeprefix("--selector=").partition("=")
    assert workers["spec"]["template"]["metadata"]["labels"][selector[0]] == selector[2]
    pods = {f"{NAME}-{number}" for number in range(workers["spec"]["replicas"])}
    for name in (NAME, "restart", "without_view"):
        (line,) = kubernetes[name]
        assert [word for word in line[: line.index("--") if "--" in line else None] if word in pods]
    assert workers["spec"]["template"]["spec"].get("restartPolicy", "Always") == "Always"


def test_kubectl_takes_these_options(kubernetes: dict[str, list[list[str]]], tmp_path: Path) -> None:
    """It goes as far as to a cluster that does not answer."""
    kubectl = Path(sys.executable).with_name("kubectl")
    nowhere = tmp_path / "config"
    cluster = {"name": "none", "cluster": {"server": "http://127.0.0.1:9"}}
    context = {"name": "none", "context": {"cluster": "none", "user": "none"}}
    nowhere.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [cluster],
                "contexts": [context],
                "users": [{"name": "none", "user": {}}],
                "current-context": "none",
            }
        )
    )
    lines = [line for lines in kubernetes.values() for line in lines if line[0] == "kubectl"]
    assert len(lines) >= 8
    for line in lines:
        since = [word.replace(ASKED_WITH, "1h") for word in line[1:]]
        done = subprocess.run(
            [kubectl, *since],
            env={**os.environ, "KUBECONFIG": str(nowhere)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert "refused" in done.stderr or (done.returncode == 0 and "set-context" in line), done.stderr


def test_the_view_s_files_are_removed_where_they_are() -> None:
    removed, again = (re.findall(r"rm -f [^';]+", each) for each in (COMPOSE, KUBERNETES))
    assert removed == again == ['rm -f "$DATA_DIR"/view.sqlite3*']
    assert "view.sqlite3" in SHOWN
    assert Dockerfile.read().env["DATA_DIR"]
