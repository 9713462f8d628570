"""What can go wrong between this worker and Kafka, by name."""


class NotMine(Exception):  # noqa: N818 - it says what is the case, and most often nothing is wrong
    """The partition is another worker's, or is being given back.

    Escaping from a handler it is a quiet drop: the message is not acknowledged and comes again to whoever
    owns the partition then.
    """

    def __init__(self, partition: int) -> None:
        super().__init__(f"partition {partition} is not this worker's any more")
        self.partition = partition


class WriteLost(Exception):  # noqa: N818 - the project's word for it
    """A record was given up: refused for good (too large, not authorised), or the producer cannot go on.

    `in_doubt` says that the broker may have it all the same: it was sent, and nothing says that it is not
    written.
    """

    def __init__(self, message: str, *, in_doubt: bool = False) -> None:
        super().__init__(message)
        self.in_doubt = in_doubt


class TooLarge(WriteLost):
    """A record is larger than its topic takes: nothing of what was to be sent with it was sent."""


class GaveUp(Exception):  # noqa: N818 - the project's word for it
    """The worker cannot keep its promise and ends, so that its supervisor restarts it."""


class LogWentBack(Exception):  # noqa: N818 - it says what happened
    """A partition delivered an offset that is not above the last one: its log was cut or made anew."""
