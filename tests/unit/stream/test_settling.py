"""How long a write may still be running, by this process's own clock."""

from app.stream.settling import Settling


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_write_without_an_answer_runs_for_the_settle_time_from_its_send() -> None:
    clock = Clock()
    settling = Settling(100.0, clock)
    settling.sent("b1", 990.0)

    assert settling.left("b1") == 90.0
    clock.now += 200
    assert settling.left("b1") == 0.0


def test_what_is_heard_of_first_runs_from_now() -> None:
    clock = Clock()
    settling = Settling(100.0, clock)

    assert settling.left("b1") == 100.0
    clock.now += 30
    assert settling.left("b1") == 70.0
    settling.forget("b1")
    assert settling.left("b1") == 100.0


def test_a_write_that_was_answered_with_an_error_runs_from_its_answer() -> None:
    clock = Clock()
    settling = Settling(100.0, clock)
    settling.sent("phone", 980.0)

    settling.answered("phone", 5.0)

    assert settling.left("phone") == 5.0


def test_another_worker_may_have_sent_since_what_was_sent_here() -> None:
    clock = Clock()
    settling = Settling(100.0, clock)
    settling.sent("b1", clock.now)
    clock.now += 1000

    settling.start_over()

    assert settling.left("b1") == 100.0
