"""How the worker's streams are: looked at seldom, and how fast they finish."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.stream.config import AppConfig, WebConfig
from app.stream.faust_app import StreamApp, build_app
from app.worker.looking import FRESH_SECONDS, Speed, StreamLook

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def app(tmp_path: Path) -> StreamApp:
    return build_app(
        AppConfig(
            group="looking",
            connection={"bootstrap_servers": ["127.0.0.1:1"]},
            data_dir=tmp_path,
            partitions=1,
            store="memory",
            web=WebConfig(host="127.0.0.1", port=6066, options={}),
        )
    )


def test_a_worker_that_has_no_partitions_yet_is_not_ready(app: StreamApp) -> None:
    facts = StreamLook(app)()
    assert (facts.ready, facts.recovering, facts.members, facts.lag) == (False, True, 0, 0)


def test_many_questions_in_a_moment_are_answered_by_one_look(app: StreamApp) -> None:
    now = 100.0
    look = StreamLook(app, clock=lambda: now)
    first = look()
    now += FRESH_SECONDS * 0.9
    assert look() is first
    now += FRESH_SECONDS * 0.2
    assert look() is not first


def test_messages_finished_lately_are_its_speed(app: StreamApp) -> None:
    now = 100.0
    look = StreamLook(app, clock=lambda: now)
    assert look().per_second == 0.0
    app.dispatcher.progress.finished += 50
    now += 10
    assert look().per_second == 5.0


def test_the_speed_is_that_of_the_last_minute() -> None:
    speed = Speed()
    assert speed.after(1_000, now=0.0) == 0.0
    assert speed.after(1_600, now=60.0) == 10.0
    assert speed.after(1_600, now=70.0) == 0.0  # what came before the last minute is forgotten
    assert speed.after(1_900, now=100.0) == 7.5


def test_looks_that_are_far_apart_give_the_speed_between_them() -> None:
    speed = Speed()
    speed.after(0, now=0.0)
    assert speed.after(600, now=300.0) == 2.0
    assert speed.after(1_200, now=360.0) == 10.0
