from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.local.jars import (
    KAFKA_VERSION,
    PINS,
    Jar,
    KafkaUnavailableError,
    cache_folder,
    kafka_jars,
    read_pins,
)
from tests.support.maven import TinyMaven

if TYPE_CHECKING:
    from collections.abc import Iterator

JAR = "kafka-1.0.jar"
ALL = {JAR, "clients-1.0.jar", "slf4j-1.0.jar"}


@pytest.fixture
def maven() -> Iterator[TinyMaven]:
    with TinyMaven().serve() as served:
        yield served


def fetch(maven: TinyMaven, cache: Path) -> Path:
    return kafka_jars(cache, pins=maven.pins, repository=maven.url)


def names(folder: Path) -> set[str]:
    return {one.name for one in folder.iterdir()}


def folders(cache: Path) -> list[Path]:
    return [one for one in cache.iterdir() if one.is_dir()]


def test_all_jars_are_fetched_and_nothing_else_is_left(maven: TinyMaven, tmp_path: Path) -> None:
    jars = fetch(maven, tmp_path / "cache")
    assert names(jars) == ALL
    assert folders(tmp_path / "cache") == [jars]


def test_jars_are_fetched_once(maven: TinyMaven, tmp_path: Path) -> None:
    first = fetch(maven, tmp_path)
    assert fetch(maven, tmp_path) == first
    assert dict(maven.asked) == dict.fromkeys(ALL, 1)


def test_two_that_start_at_once_fetch_once(maven: TinyMaven, tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        both = list(pool.map(lambda _: fetch(maven, tmp_path), range(2)))
    assert names(both[0]) == names(both[1]) == ALL
    assert dict(maven.asked) == dict.fromkeys(ALL, 1)


def test_other_jars_of_the_same_version_have_another_folder(maven: TinyMaven, tmp_path: Path) -> None:
    fewer = kafka_jars(tmp_path, pins=maven.pins[:2], repository=maven.url)
    assert fetch(maven, tmp_path) != fewer


def test_a_download_that_breaks_off_is_tried_again(maven: TinyMaven, tmp_path: Path) -> None:
    maven.cut[JAR] = 2
    assert (fetch(maven, tmp_path) / JAR).read_bytes() == maven.files[JAR]


def test_a_half_download_never_counts(maven: TinyMaven, tmp_path: Path) -> None:
    maven.cut[JAR] = 3
    with pytest.raises(KafkaUnavailableError, match=r"could not be fetched from http://127\.0\.0\.1"):
        fetch(maven, tmp_path)
    assert folders(tmp_path) == []
    assert names(fetch(maven, tmp_path)) == ALL


def test_what_a_killed_fetch_left_is_not_taken_over(maven: TinyMaven, tmp_path: Path) -> None:
    folder = fetch(maven, tmp_path)
    folder.rename(f"{folder}.partial")
    (tmp_path / f"{folder.name}.partial" / "half.jar").write_bytes(b"half")
    assert names(fetch(maven, tmp_path)) == ALL


def test_another_file_under_the_same_name_is_refused(maven: TinyMaven, tmp_path: Path) -> None:
    maven.files[JAR] = b"something else"
    with pytest.raises(KafkaUnavailableError, match=r"kafka-1\.0\.jar is not the file that it should be"):
        fetch(maven, tmp_path)
    assert folders(tmp_path) == []


@pytest.mark.parametrize("name", [JAR, "another.jar"])
def test_a_cache_that_was_meddled_with_is_not_used(maven: TinyMaven, tmp_path: Path, name: str) -> None:
    (fetch(maven, tmp_path) / name).write_bytes(b"something else")
    folder = fetch(maven, tmp_path)
    assert names(folder) == ALL
    assert (folder / JAR).read_bytes() == maven.files[JAR]


def test_what_is_not_there_is_said_in_one_line(maven: TinyMaven, tmp_path: Path) -> None:
    maven.missing.add(JAR)
    with pytest.raises(KafkaUnavailableError, match=r"^.*404.*KAFKA_BOOTSTRAP_SERVERS.*$"):
        fetch(maven, tmp_path)


def test_no_network_is_said_in_one_line(tmp_path: Path) -> None:
    with TinyMaven().serve() as maven:
        """Only its address is needed, where nobody answers any more."""
    with pytest.raises(KafkaUnavailableError, match=r"^.*refused.*check the network.*$"):
        fetch(maven, tmp_path)


def test_a_cache_that_cannot_be_written_is_said_in_one_line(maven: TinyMaven, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(KafkaUnavailableError, match=r"^.*File exists.*$"):
        fetch(maven, tmp_path / "cache")


def test_progress_is_told_on_stderr(
    maven: TinyMaven, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch(maven, tmp_path)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines()[-1] == f"Kafka {KAFKA_VERSION}: 3 of 3 files"


def test_the_cache_is_where_the_system_says() -> None:
    assert cache_folder({"XDG_CACHE_HOME": "/var/cache"}) == Path("/var/cache/servicetitan-stream")
    assert cache_folder({}) == Path.home() / ".cache" / "servicetitan-stream"


def test_a_jar_lies_where_maven_puts_it() -> None:
    (jar,) = read_pins("org.apache.kafka:kafka_2.13:4.3.1 abc\n")
    assert jar == Jar("org.apache.kafka", "kafka_2.13", "4.3.1", "abc")
    assert jar.path == "org/apache/kafka/kafka_2.13/4.3.1/kafka_2.13-4.3.1.jar"


def test_the_pinned_jars_are_of_the_version_that_is_named_and_all_have_a_digest() -> None:
    of_kafka = [jar for jar in PINS if jar.group == "org.apache.kafka"]
    assert {jar.version for jar in of_kafka} == {KAFKA_VERSION}
    assert {"kafka_2.13", "kafka-clients", "kafka-server"} <= {jar.artifact for jar in of_kafka}
    assert all(re.fullmatch("[0-9a-f]{64}", jar.sha256) for jar in PINS)
