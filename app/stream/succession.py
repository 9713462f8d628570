"""A worker that died is taken out of its group by the next one on its folder, which then need not wait.

The group itself notices a death only when the member's session runs out; until then nobody gets its
partitions. Whoever holds the lock of the folder knows better: the process that held it before is dead.

That may be said of nobody who lives: everybody trusts that the group counts a member in for a session after
its last answered heartbeat (`ownership`). So the note that a worker leaves names the lock that it held, by
file, device and boot of the machine. A copy of the folder, or a volume that came to another machine, has
another lock, and then the session runs out as ever. So it does whenever something goes wrong here.
"""

import asyncio
import logging
import os
from pathlib import Path
from typing import IO, Any

import orjson
from aiokafka.errors import KafkaError, NoError, UnknownMemberIdError, for_code
from aiokafka.protocol.group import LeaveGroupRequest

_log = logging.getLogger(__name__)

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_LEAVE_SECONDS = 3.0
_LONGEST_ID = 1_000
"""Characters; Kafka makes a member's id of its client's name and a UUID."""


def name_of(lock: IO[str], boot: Path = _BOOT) -> str | None:
    """The name of a file that is locked: no other has it as long as the file is held open.

    None where the machine does not tell one of its boots from another.
    """
    try:
        booted = boot.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
    stat = os.fstat(lock.fileno())
    return f"{booted} {stat.st_dev} {stat.st_ino}" if booted else None


class Succession:
    """Which member of the group this folder's last worker was, and which this one is.

    `lock` names the lock that this process holds (`name_of`), and `group` the cluster and the group.
    """

    def __init__(self, folder: Path, lock: str, group: str) -> None:
        self._file = folder / "member.json"
        self._known = {"lock": lock, "group": group}
        # Read before anything is noted: a member of this very process is never the former one.
        self.former = self._read()
        """The member that the last worker with this lock was in this group, None when that is not sure."""

    def _read(self) -> str | None:
        try:
            note = orjson.loads(self._file.read_bytes())
        except (OSError, ValueError):
            return None
        member = note.pop("member", None) if isinstance(note, dict) else None
        sure = note == self._known and isinstance(member, str) and 0 < len(member) <= _LONGEST_ID
        return member if sure else None

    def note(self, member: str) -> None:
        """Write down who this worker is in the group; without it the next one waits."""
        new = self._file.with_suffix(".new")
        try:
            new.write_bytes(orjson.dumps({**self._known, "member": member}))
            new.replace(self._file)
        except OSError as wrong:
            _log.warning("a successor would have to wait for this worker's session: %s", wrong)

    async def take_out_former(self, coordinator: Any) -> None:  # noqa: ANN401 - aiokafka has no types
        """Have the last worker leave, before this one joins; `coordinator` is aiokafka's of this member."""
        if self.former is None:
            return
        try:
            async with asyncio.timeout(_LEAVE_SECONDS):
                await coordinator.ensure_coordinator_known()
                request = LeaveGroupRequest(coordinator.group_id, self.former)
                answer = await coordinator._send_req(request)  # noqa: SLF001 - aiokafka leaves by it as well
        except (KafkaError, OSError, TimeoutError) as wrong:
            _log.warning("the last worker's session has to run out first: %r", wrong)
            return
        refused = for_code(answer.error_code)
        if refused is NoError:
            _log.info("took the last worker with this folder, which is dead, out of its group")
        elif refused is not UnknownMemberIdError:
            # Unknown is who left by itself, or whose session is over.
            _log.warning("the last worker's session has to run out first: %s", refused.__name__)
