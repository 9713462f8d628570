"""The log: one format for all, masked, limited, and never in anybody's way."""

import io
import logging
from collections.abc import Iterator

import orjson
import pytest
import structlog
from pydantic import ValidationError

from app.booking.record import decode
from app.telemetry.log import configure, get_logger


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(capture=False)
    for library in ("aiokafka", "faust", "mode", "asyncio", "aiohttp"):
        logging.getLogger(library).setLevel(logging.NOTSET)
    structlog.reset_defaults()


@pytest.fixture
def out(clock: Clock) -> io.StringIO:
    stream = io.StringIO()
    configure(log_format="json", level="INFO", stream=stream, environ={}, clock=clock)
    return stream


def hear_alone() -> None:
    """pytest's own handlers, which it adds for each test, render lines as well, and do raise."""
    root = logging.getLogger()
    root.handlers[:] = [handler for handler in root.handlers if type(handler).__module__.startswith("app.")]


def lines(out: io.StringIO) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in out.getvalue().splitlines()]


def test_our_lines_and_those_of_libraries_have_one_format(out: io.StringIO) -> None:
    get_logger("app.stream").info("moved", booking="b-1", partitions=[1, 2])
    logging.getLogger("faust.agents").warning("agent %s stopped", "x")
    ours, fausts = lines(out)
    assert ours | {"time": ""} == {
        "time": "",
        "level": "info",
        "event": "moved",
        "logger": "app.stream",
        "booking": "b-1",
        "partitions": [1, 2],
    }
    assert fausts["event"] == "agent x stopped"
    assert fausts["logger"] == "faust.agents"
    assert str(fausts["time"]).endswith("Z")


def test_personal_data_is_masked_in_facts_messages_and_tracebacks(out: io.StringIO) -> None:
    get_logger("app").info("made", booking={"firstName": "Ada", "phone": "6025550123"})
    logging.getLogger("faust").warning(
        "bad value %r", b'{"email": "ada@example.com", "lastName": "Lovelace"}'
    )
    try:
        int("phone='6025550123'")
    except ValueError:
        get_logger("app").exception("failed")
    written = out.getvalue()
    assert not [word for word in ("Ada", "6025550123", "ada@", "Lovelace") if word in written]
    assert "ValueError" in str(lines(out)[2]["exception"])


def test_the_level_is_a_floor_and_libraries_are_heard_from_warning_on(out: io.StringIO) -> None:
    get_logger("app").debug("hidden")
    logging.getLogger("mode.worker").info("hidden")
    assert lines(out) == []


def test_debug_lets_libraries_say_more(clock: Clock) -> None:
    out = io.StringIO()
    configure(log_format="json", level="DEBUG", stream=out, environ={}, clock=clock)
    logging.getLogger("mode.worker").info("heard")
    logging.getLogger("aiokafka.conn").debug("too much")
    assert [line["event"] for line in lines(out)] == ["heard"]


def test_aiokafkas_noise_is_one_line_of_a_kind_in_ten_seconds(out: io.StringIO, clock: Clock) -> None:
    noisy = logging.getLogger("aiokafka.conn")
    for port in range(100):
        noisy.error("Unable connect to node with id %s", port)
    noisy.error("Another kind")
    clock.now += 10
    noisy.error("Unable connect to node with id %s", 7)
    noisy.error("Another kind")
    assert [(line["event"], line.get("suppressed")) for line in lines(out)] == [
        ("Unable connect to node with id 0", None),
        ("Another kind", None),
        ("Unable connect to node with id 7", 99),
        ("Another kind", None),
    ]


def test_other_loggers_are_not_limited(out: io.StringIO) -> None:
    for _ in range(5):
        get_logger("app").info("same")
        logging.getLogger("aiokafkaesque").warning("same")
    assert len(lines(out)) == 10


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


@pytest.mark.parametrize(
    "fact", [Broken(), {1: Broken()}, "\ud800", 2**80, float("nan"), {b"x": 1}, object, [[[[[[[[[[1]]]]]]]]]]]
)
def test_any_fact_can_be_logged(out: io.StringIO, fact: object) -> None:
    hear_alone()
    get_logger("app").info("odd", fact=fact)
    assert lines(out)[0]["event"] == "odd"


def test_a_line_that_cannot_be_rendered_says_whose_it_was(out: io.StringIO) -> None:
    hear_alone()
    logging.getLogger("faust.x").warning("%d apples", "no number")
    assert lines(out)[0] | {"at": ""} == {
        "event": "a log line could not be rendered",
        "logger": "faust.x",
        "level": "warning",
        "because": "TypeError",
        "template": "%d apples",
        "at": "",
    }


def test_a_stream_that_is_gone_hurts_nobody(out: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    hear_alone()
    out.close()
    get_logger("app").error("unheard")
    assert capsys.readouterr().err == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True)]
)
def test_the_console_has_colours_unless_asked_not_to(environ: dict[str, str], coloured: bool) -> None:
    out = Terminal()
    configure(log_format="console", level="INFO", stream=out, environ=environ)
    get_logger("app").info("made", phone="6025550123")
    assert "made" in out.getvalue()
    assert "6025550123" not in out.getvalue()
    assert ("\x1b[" in out.getvalue()) is coloured


def test_a_pipe_gets_no_colours() -> None:
    out = io.StringIO()
    configure(log_format="console", level="INFO", stream=out, environ={})
    get_logger("app").info("made")
    assert "\x1b[" not in out.getvalue()


def test_a_terminal_is_told_nothing_by_what_is_logged() -> None:
    out = io.StringIO()
    configure(log_format="console", level="INFO", stream=out, environ={})
    strange = "b-1\x1b]0;owned\x07\x1b[2J\x9b31m\r\nfaked=1\u202e"
    get_logger("app.x").info(f"moved {strange}", booking=strange, many=[strange], **{strange: 1})
    try:
        int(strange)
    except ValueError:
        get_logger("app.x").exception("failed")
    text = out.getvalue()
    assert all(one.isprintable() or one == "\n" for one in text)
    assert "Traceback" in text
    assert r"b-1\x1b]0;owned\x07" in text
    assert "\nfaked" not in text.partition("Traceback")[0]


BROKEN_ROW = b'{"booking_id": 7, "lane": {"turn": "Ada Lovelace, 602 555 0123"}}'


def test_a_json_line_is_told_as_ascii_where_a_terminal_would_obey(out: io.StringIO) -> None:
    hear_alone()
    strange = "b-1\x1b[2J\x7f\x9b31m\u202e\u2066\U000e0001 \u00e9"
    template = f"%d {strange}"
    get_logger("app.x").info(f"moved {strange}", booking=strange, many=[{strange: strange}])
    logging.getLogger("faust.x").warning(template, "no number")
    assert all(one.isprintable() for line in out.getvalue().splitlines() for one in line)
    assert "\u00e9" in out.getvalue()
    told, broken = lines(out)
    assert (told["booking"], told["many"]) == (strange, [{strange: strange}])
    assert broken["template"] == template


def test_a_row_that_breaks_a_model_is_told_by_its_fields_and_not_by_its_values(out: io.StringIO) -> None:
    try:
        try:
            decode(BROKEN_ROW)
        except ValidationError as wrong:
            raise RuntimeError("a row of ours") from wrong
    except RuntimeError:
        get_logger("app.test").exception("it failed")

    (line,) = lines(out)
    told = str(line["exception"])
    assert "type=int_parsing" in told.partition("lane.turn")[2].partition("]")[0]
    assert "RuntimeError: a row of ours" in told
    assert "Lovelace" not in told
    assert "0123" not in told


def _refused(row: bytes) -> ValidationError:
    with pytest.raises(ValidationError) as raised:
        decode(row)
    return raised.value


def test_what_an_error_refused_is_told_nowhere(out: io.StringIO) -> None:
    """Given as a fact or an argument, in a group, or cut: what it says of the fields stays."""
    wrong = _refused(BROKEN_ROW)
    log = get_logger("app.test")
    log.warning("a fact", because=repr(wrong))
    log.warning("itself", because=wrong, many=[wrong])
    log.warning("within", because=repr([str(wrong)]), cut=str(wrong)[: str(wrong).index("Lovelace") + 2])
    logging.getLogger("faust.x").error("an argument: %r, %s", wrong, ExceptionGroup("many", [wrong]))
    log.error("a group", exc_info=ExceptionGroup("many", [ExceptionGroup("more", [wrong])]))
    log.warning("a number", because="bad [type=int_type, input_value=6025550123, input_type=int]")
    log.warning("sly", because=_refused(b'{"booking_id": ["Ada", "input_type=", "Lovelace"]}'))
    log.warning("bytes", because=repr(UnicodeDecodeError("utf-8", b"Ada \xff Lovelace", 4, 5, "no")))
    told = out.getvalue()
    assert [word for word in ("Ada", "Love", "602 555", "6025550123") if word in told] == []
    assert told.count("type=int_parsing") >= 6
    assert "'utf-8', ***, 4, 5, 'no'" in told
