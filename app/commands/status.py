"""Exit statuses, and which of them a known problem ends with."""

from enum import IntEnum


class ExitStatus(IntEnum):
    """What a supervisor or a script is told."""

    DONE = 0
    NOT_DONE = 1
    WRONG = 2
    KAFKA = 3
    GAVE_UP = 4


MEANINGS = {
    ExitStatus.DONE: "done, also after SIGTERM or Ctrl-C where a command runs until then",
    ExitStatus.NOT_DONE: "not done",
    ExitStatus.WRONG: "wrong usage or settings",
    ExitStatus.KAFKA: "Kafka or its topics are not as needed",
    ExitStatus.GAVE_UP: "the worker gave up: start it again",
}


def status_of(problem: BaseException) -> ExitStatus | None:
    """The status for a problem that its text explains; None for one that is a bug and needs its traceback."""
    # Imported late: --help needs none of it.
    from app.local.jars import KafkaUnavailableError  # noqa: PLC0415 - see above
    from app.settings import SettingsWrong  # noqa: PLC0415 - see above
    from app.stream.kafka import KafkaAway  # noqa: PLC0415 - see above
    from app.stream.topology import TopicsWrong  # noqa: PLC0415 - see above

    match problem:
        case SettingsWrong():
            return ExitStatus.WRONG
        case KafkaAway() | TopicsWrong() | KafkaUnavailableError():
            return ExitStatus.KAFKA
        case _:
            return None
