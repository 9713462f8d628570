"""Recovery of tables after a rebalance, and the return to work, in an order that loses nothing.

Faust resumes the source partitions before it seeks them to their committed offsets, with the fetcher
running: what is fetched in between makes the refetched records look like ones already read, and they are
dropped (faust-streaming issue 596; hundreds of events lost by one kill, with `committed()` answering in 5
ms). Here the fetcher is at rest whenever a position is set, of a changelog or a source, and until the flow
is resumed.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, cast

from faust.tables.manager import TableManager
from faust.tables.recovery import RebalanceAgain, Recovery, ServiceStopped
from faust.types import TP

from app.stream.store import mark_of

if TYPE_CHECKING:
    from faust.types.transports import ConsumerT
    from mode.services import WaitArgT
    from mode.utils.times import Seconds

    from app.stream.faust_app import StreamApp
    from app.stream.store import RowStore
    from app.stream.tables import ChangelogTable


class RecoveryStalled(Exception):  # noqa: N818 - it says what happened
    """A step of the recovery did not end in time."""


class SafeRecovery(Recovery):
    """Faust's recovery up to the point where the tables are complete; the rest is written anew."""

    app: "StreamApp"
    _rebalances_seen = -1

    async def on_rebalance(
        self,
        assigned: set[TP],
        revoked: set[TP],
        newly_assigned: set[TP],
        generation_id: int = 0,
    ) -> None:
        """Begin, and remember which rebalance it is for."""
        self._rebalances_seen = self.app.rebalancing_count
        await super().on_rebalance(assigned, revoked, newly_assigned, generation_id)

    def _stale(self, generation_id: int) -> bool:
        return (
            self.app.consumer_generation_id != generation_id
            or self.app.rebalancing_count != self._rebalances_seen
            or self.app.should_stop
            or self.app.gave_up is not None
        )

    async def _build_offsets(
        self, consumer: "ConsumerT", tps: set[TP], destination: Counter[TP], title: str
    ) -> None:
        """Where replay begins: from the first record for what is not of the changelog as it is now."""
        stored = {tp: destination[tp] for tp in tps if destination[tp] is not None}
        cut = {tp for tp, offset in stored.items() if offset > self.active_highwaters[tp]}
        self._discard(cut, destination, "its changelog ends before it")
        places = {
            tp: stored[tp] for tp in stored.keys() - cut if self._rows(tp).mark(tp.partition) is not None
        }
        first = await self.app.consumer.first_records(places) if places else {}
        other = {
            tp
            for tp, record in first.items()
            if record.offset != places[tp]
            or mark_of(record.key, record.value) != self._rows(tp).mark(tp.partition)
        }
        self._discard(other, destination, "its changelog has not the record that it read last")
        await super()._build_offsets(consumer, tps, destination, title)

    def _discard(self, tps: Iterable[TP], offsets: Counter[TP], why: str) -> None:
        for tp in tps:
            self._rows(tp).discard(tp.partition, why)
            offsets[tp] = None  # type: ignore[assignment]  # Faust's word for it, which its types do not say

    def _rows(self, tp: TP) -> "RowStore":
        return cast("ChangelogTable", self.tp_to_table[tp]).rows

    def active_remaining(self) -> Counter[TP]:
        """As Faust has it, but nothing where the end is never handed out, as a transaction's marker."""
        remaining: Counter[TP] = super().active_remaining()
        if not self.tables.changelog_queue.empty():
            return remaining
        read, ends = self.app.consumer.handed_over, self.active_highwaters
        return Counter({tp: left for tp, left in remaining.items() if read.get(tp, -1) <= ends[tp]})

    async def _wait(self, coro: "WaitArgT", timeout: "Seconds | None" = None) -> None:  # noqa: ASYNC109 - as Faust calls it
        # Faust takes a time-out here for the end of the service, and its worker then idles for ever.
        again = self.signal_recovery_start
        result = await self.wait_first(coro, again, timeout=timeout)  # type: ignore[arg-type]  # mode means any event
        if not result.stopped:
            if again.is_set():
                raise RebalanceAgain
            return
        if self.should_stop:
            raise ServiceStopped
        raise RecoveryStalled(f"a step of the recovery took over {timeout} s")

    async def _resume_streams(self, generation_id: int = 0) -> None:
        await self._return_to_work(generation_id)

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        """The tables are complete: tell them, then go back to work."""
        await asyncio.gather(
            *(
                table.on_recovery_completed(self.actives_for_table[table], self.standbys_for_table[table])
                for table in self.tables.values()
            )
        )
        await self._return_to_work(generation_id)

    async def _return_to_work(self, generation_id: int) -> None:
        app, consumer = self.app, self.app.consumer
        consumer.stop_flow()
        app.flow_control.suspend()
        await app.on_rebalance_complete.send()
        assignment = consumer.assignment()
        sources = {tp for tp in assignment if not self._is_changelog_tp(tp)}
        seeking = asyncio.ensure_future(consumer.seek_sources(sources))
        await self._wait(seeking, timeout=app.conf.broker_request_timeout)
        if self._stale(generation_id):
            return
        app.flow_control.clear()
        await self._wait(consumer.leave_out(assignment - sources), timeout=app.conf.broker_request_timeout)
        if self._stale(generation_id):
            return
        await app.take_over(seeking.result(), lambda: self._stale(generation_id))
        if self._stale(generation_id):
            return
        await self._resume(sources)

    async def _resume(self, sources: AbstractSet[TP]) -> None:
        app, consumer = self.app, self.app.consumer
        self._set_recovery_ended()
        consumer.resume_partitions(sources)
        self.completed.set()
        app.flow_control.resume()
        consumer.resume_flow()
        await app._fetcher.maybe_start()  # noqa: SLF001 - Faust shows it nowhere else
        self.tables.on_actives_ready()
        self.tables.on_standbys_ready()
        app.on_rebalance_end()


class SafeTableManager(TableManager):
    """Faust's table manager with that recovery."""

    @property
    def recovery(self) -> SafeRecovery:
        """The one recovery."""
        if self._recovery is None:
            self._recovery = SafeRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        assert isinstance(self._recovery, SafeRecovery)  # noqa: S101 - the line above made it
        return self._recovery

    async def on_start(self) -> None:
        """Start without Faust's sleep of a second: all tables are declared before the app starts."""
        await self._update_channels()
        await self.recovery.start()
