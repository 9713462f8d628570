"""The command `demo`: real Kafka, simulated ServiceTitan, a worker and bookings, to look at."""

import asyncio
import logging
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from itertools import islice

import click

from app.local.demo_check import customers_made_twice, ended, problems
from app.local.demo_screen import Figures, Screen
from app.local.demo_script import LIVING, PLAIN, Script, scripts
from app.local.demo_stage import Stage, StageWrong
from app.local.demo_tally import Tally
from app.local.demo_traffic import Traffic

PACE = 60
"""Calls per second that the simulator allows, and so the worker's pace."""
_BOOKINGS_PER_SECOND = 10.0
_LATER_PER_SECOND = 0.5
_PATIENCE_SECONDS = 120.0
_LOOK_EVERY = 0.5
_LEFT = 3
"""Bookings that are left held, for a person to redrive."""
_EXAMPLES = """\b
Examples:
  servicetitan-stream demo
  servicetitan-stream demo --once --bookings 200
  servicetitan-stream demo --web-port 6066 --simulator-port 8200
"""


@click.command(epilog=_EXAMPLES)
@click.option("--once", is_flag=True, help="End with a summary when all bookings have come to their end.")
@click.option(
    "--bookings",
    default=200,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help="How many bookings come in one stream.",
)
@click.option("--seed", default=1, show_default=True, help="Draws other people, doors and faults.")
@click.option("--kafka-port", type=click.IntRange(1, 65535), help="A free one when not given.")
@click.option("--simulator-port", type=click.IntRange(1, 65535), help="A free one when not given.")
@click.option("--web-port", type=click.IntRange(1, 65535), help="A free one when not given.")
def demo(
    *,
    once: bool,
    bookings: int,
    seed: int,
    kafka_port: int | None,
    simulator_port: int | None,
    web_port: int | None,
) -> int:
    """Watch bookings become jobs: a real Kafka, a simulated ServiceTitan with its failures, and a worker.

    Everything runs on this machine and goes when the command ends. The status is 0 only if each booking
    ended as its script says: no job missing, none twice, order kept.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # New topics take a moment; aiokafka says so a hundred times.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    screen = Screen()
    stage = Stage(kafka_port=kafka_port, simulator_port=simulator_port, web_port=web_port, seed=seed)
    stream = scripts(seed, datetime.now(UTC))
    run = _Run(stage, screen, stream, list(islice(stream, bookings)))
    try:
        with stage:
            asyncio.run(run.play(once=once))
    except KeyboardInterrupt:
        screen.say("Stopped.")
        return 0 if run.right and not once else 1
    except StageWrong as wrong:
        raise click.ClickException(str(wrong)) from None
    return 0 if run.right else 1


@dataclass(slots=True)
class _Run:
    stage: Stage
    screen: Screen
    stream: Iterator[Script]
    first: Sequence[Script]
    begun: float = field(default_factory=time.monotonic)
    right: bool = False

    async def play(self, *, once: bool) -> None:
        """Plays the first bookings, says how they ended, and goes on with the rest unless it is `once`."""
        topics = await self.stage.open()
        traffic = Traffic(topics, self.stage.arguments, Tally())
        self._say_where()
        async with traffic.open():
            sending = asyncio.create_task(traffic.send(self.first, per_second=_BOOKINGS_PER_SECOND))
            with self.screen.live():
                await self._until_ended(traffic, sending)
            await self._judge(traffic)
            if once:
                return
            await self._leave_a_group(traffic)
            self.screen.say("Bookings keep coming; Ctrl-C ends the demo.")
            sending = asyncio.create_task(traffic.send(self.stream, per_second=_LATER_PER_SECOND))
            with self.screen.live():
                while True:
                    await self._look(traffic, sending)

    async def _leave_a_group(self, traffic: Traffic) -> None:
        """What a person may put right at the page: a group to redrive, beside what is held for its data."""
        await self.stage.refuse_jobs(_LEFT)
        group = list(islice((one for one in self.stream if one.title == PLAIN), _LEFT))
        sending = asyncio.create_task(traffic.send(group, per_second=_BOOKINGS_PER_SECOND))
        begun = time.monotonic()
        with self.screen.live():
            while time.monotonic() - begun < _PATIENCE_SECONDS:
                await self._look(traffic, sending)
                if all(traffic.tally.is_held(one.booking_id) for one in group):
                    break
        self._say_what_is_left(traffic)

    def _say_what_is_left(self, traffic: Traffic) -> None:
        page = f"{self.stage.web_url}/ops"
        self.screen.say(f"Left for you at {page}:")
        held = next((one for one in self.first if traffic.tally.is_held(one.booking_id)), None)
        if held is not None:
            self.screen.say(f"  {held.title}: repair it at {page}/bookings/{held.booking_id}")
        self.screen.say(
            f"  {_LEFT} bookings came while a scope was missing: redrive them at {page}/reasons/not-permitted"
        )

    def _say_where(self) -> None:
        stage = self.stage
        self.screen.say(f"what needs attention:   {stage.web_url}/ops")
        self.screen.say(f"health:                 {stage.web_url}/api/integrations/servicetitan/health")
        self.screen.say(
            f"a booking:              {stage.web_url}/api/integrations/servicetitan/bookings/"
            f"{self.first[0].booking_id}"
        )
        living = next((one.booking_id for one in self.first if fnmatchcase(one.booking_id, LIVING)), None)
        if living is not None:
            self.screen.say(
                f"a job by webhooks only: {stage.web_url}/api/integrations/servicetitan/bookings/{living}"
            )
        self.screen.say(f"simulated ServiceTitan: {stage.simulator_url}/simulator")
        self.screen.say(f"Kafka:                  {stage.kafka.bootstrap_servers}")
        self.screen.say(f"logs:                   {stage.folder}")

    async def _until_ended(self, traffic: Traffic, sending: "asyncio.Task[None]") -> None:
        """Returns when all is sent, said and done, or nothing has happened for too long."""
        last, moved = -1, time.monotonic()
        while True:
            figures = await self._look(traffic, sending)
            if (
                sending.done()
                and traffic.all_sent
                and figures.ended == len(self.first)
                and not await traffic.left()
            ):
                return
            tally = traffic.tally
            happened = tally.events + tally.retried + tally.dead_letters + tally.announcements
            if happened != last:
                last, moved = happened, time.monotonic()
            if time.monotonic() - moved > _PATIENCE_SECONDS:
                return

    async def _look(self, traffic: Traffic, sending: "asyncio.Task[None]") -> Figures:
        await asyncio.sleep(_LOOK_EVERY)
        self.stage.check()
        traffic.raise_failure()
        if sending.done():
            sending.result()
        stats = await self.stage.stats()
        figures = Figures(
            seconds=time.monotonic() - self.begun,
            ended=sum(ended(script, traffic.tally) for script in self.first),
            bookings=len(self.first),
            calls=stats["callsInLastSecond"],
            pace=PACE,
        )
        self.screen.show(traffic.tally, figures)
        return figures

    async def _judge(self, traffic: Traffic) -> None:
        upstream = await self.stage.upstream()
        found = [(script, problems(script, traffic.tally, upstream)) for script in self.first]
        wrong = [(script, clauses) for script, clauses in found if clauses]
        self.screen.summary(self.first, wrong)
        twice = customers_made_twice(self.first, upstream)
        if twice:
            self.screen.say(f"{twice} customers more in ServiceTitan than people who booked")
        self.right = not wrong and not twice
