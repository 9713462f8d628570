"""What `send` refuses before anything is sent, with words that say what to change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest
from click.testing import CliRunner

from app.commands.send import send

if TYPE_CHECKING:
    from pathlib import Path

INVALID = {"firstName": "Ana", "phone": "555", "zip": "1"}


@pytest.mark.parametrize(
    ("arguments", "given", "words"),
    [
        (["created", "--json", "-"], {}, ["created needs --booking-id"]),
        (["created", "--booking-id", "b"], None, ["created needs --json"]),
        (["rescheduled", "--booking-id", "b"], None, ["rescheduled needs --json"]),
        (["created", "--booking-id", "b", "--json", "-"], INVALID, ["lastName:", "phone:", "zip:"]),
        (["cancelled", "--booking-id", "b" * 101], None, ["unreadable", "subject"]),
        (["status-changed", "--booking-id", "b", "--json", "-"], {"status": "lost"}, ["status:"]),
        (["event", "--json", "-"], [1], ["a whole CloudEvent"]),
        (["event", "--json", "-"], {"specversion": "1.0"}, ["unreadable", "id"]),
        (["event"], None, ["event needs --json"]),
        (["exploded"], None, ["exploded"]),
    ],
)
def test_what_cannot_be_worked_is_not_sent(arguments: list[str], given: object, words: list[str]) -> None:
    done = CliRunner().invoke(send, arguments, input=None if given is None else orjson.dumps(given))
    assert done.exit_code == 2
    for word in words:
        assert word in done.output


def test_a_file_that_is_no_json_is_named(tmp_path: Path) -> None:
    file = tmp_path / "booking.json"
    file.write_text("{")
    done = CliRunner().invoke(send, ["created", "--booking-id", "b", "--json", str(file)])
    assert done.exit_code == 2
    assert "booking.json: not JSON" in done.output


def test_no_kafka_is_a_line_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    from app.stream.kafka import KafkaAway

    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    done = CliRunner().invoke(send, ["example", "--wait", "0"])
    assert isinstance(done.exception, KafkaAway)
    assert "127.0.0.1:1" in str(done.exception)
