import os
import shutil
from pathlib import Path

import pytest

from app.stream.succession import Succession, name_of

BOOT = "c0ffee00-0000-4000-8000-000000000000"
LOCK = f"{BOOT} 1 2"
GROUP = "cluster-1 bookings"


def named(file: Path, boot: Path) -> str | None:
    with file.open("a+", encoding="ascii") as lock:
        return name_of(lock, boot)


@pytest.fixture
def boot(tmp_path: Path) -> Path:
    file = tmp_path / "boot_id"
    file.write_text(BOOT + "\n", encoding="ascii")
    return file


def test_a_folder_that_no_worker_has_used_has_no_former_member(tmp_path: Path) -> None:
    assert Succession(tmp_path, LOCK, GROUP).former is None


def test_the_next_worker_with_the_same_lock_knows_the_last_one(tmp_path: Path) -> None:
    Succession(tmp_path, LOCK, GROUP).note("faust-1")
    Succession(tmp_path, LOCK, GROUP).note("faust-2")

    assert Succession(tmp_path, LOCK, GROUP).former == "faust-2"


def test_what_a_worker_notes_of_itself_does_not_make_it_its_own_predecessor(tmp_path: Path) -> None:
    succession = Succession(tmp_path, LOCK, GROUP)
    succession.note("faust-1")

    assert succession.former is None


@pytest.mark.parametrize(
    ("lock", "group"), [(f"{BOOT} 1 3", GROUP), (LOCK, "cluster-2 bookings"), (LOCK, "cluster-1 others")]
)
def test_a_member_of_another_lock_or_group_is_left_alone(tmp_path: Path, lock: str, group: str) -> None:
    Succession(tmp_path, LOCK, GROUP).note("faust-1")

    assert Succession(tmp_path, lock, group).former is None


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"member":"faust-1"}',
        b'{"lock":"%s","group":"%s"}' % (LOCK.encode(), GROUP.encode()),
        b'{"lock":"%s","group":"%s","member":7}' % (LOCK.encode(), GROUP.encode()),
        b'{"lock":"%s","group":"%s","member":""}' % (LOCK.encode(), GROUP.encode()),
        b'{"lock":"%s","group":"%s","member":"%s"}' % (LOCK.encode(), GROUP.encode(), b"m" * 1001),
        b"\xff" * 10,
    ],
)
def test_what_is_no_whole_note_names_nobody(tmp_path: Path, note: bytes) -> None:
    (tmp_path / "member.json").write_bytes(note)

    assert Succession(tmp_path, LOCK, GROUP).former is None


def test_a_note_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "member.new").mkdir()

    Succession(tmp_path, LOCK, GROUP).note("faust-1")

    assert Succession(tmp_path, LOCK, GROUP).former is None


def test_a_lock_keeps_its_name_and_a_copy_of_it_has_another(tmp_path: Path, boot: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    first = named(folder / "worker.lock", boot)

    shutil.copytree(folder, tmp_path / "copy")

    assert first is not None
    assert first.startswith(BOOT)
    assert named(folder / "worker.lock", boot) == first
    assert named(tmp_path / "copy" / "worker.lock", boot) != first


def test_a_lock_that_is_held_shares_its_name_with_no_file_that_takes_its_place(
    tmp_path: Path, boot: Path
) -> None:
    file = tmp_path / "worker.lock"
    with file.open("a+", encoding="ascii") as held:
        file.unlink()
        assert named(file, boot) != name_of(held, boot)


def test_the_next_boot_of_the_machine_gives_other_names(tmp_path: Path, boot: Path) -> None:
    first = named(tmp_path / "worker.lock", boot)
    boot.write_text("another", encoding="ascii")

    assert named(tmp_path / "worker.lock", boot) != first


@pytest.mark.parametrize("said", [None, b"", b"\n", b"\xff"])
def test_a_machine_that_does_not_name_its_boots_names_no_locks(tmp_path: Path, said: bytes | None) -> None:
    boot = tmp_path / "boot_id"
    if said is not None:
        boot.write_bytes(said)

    assert named(tmp_path / "worker.lock", boot) is None


def test_this_machine_names_them(tmp_path: Path) -> None:
    with (tmp_path / "worker.lock").open("a+", encoding="ascii") as lock:
        name = name_of(lock)
        assert name is not None
        assert name.endswith(f" {os.fstat(lock.fileno()).st_ino}")
