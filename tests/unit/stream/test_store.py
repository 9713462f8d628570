"""A store whose files are damaged is never trusted, and never a reason to end again and again."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, cast

import pytest
from faust.types import TP

from app.stream.config import AppConfig
from app.stream.faust_app import build_app
from app.stream.store import Reached, mark_of
from app.stream.tables import Replayed

if TYPE_CHECKING:
    from pathlib import Path

    from app.stream.store import RocksStore

PARTITION = 0


def opened(folder: Path) -> tuple[RocksStore, TP]:
    """The store of a table of a worker on this folder, and its changelog's partition."""
    config = AppConfig(group="g", connection={"bootstrap_servers": ["localhost:1"]}, data_dir=folder)
    app = build_app(config)
    table = app.owned_table("rows")
    app.finalize()
    return cast("RocksStore", table._table.rows), TP(table.changelog, PARTITION)


def at(offset: int) -> Reached:
    return Reached(offset, mark_of(b"key", b"row"))


def key(number: int) -> bytes:
    return b"key-%05d" % number


async def filled(folder: Path) -> None:
    store, _ = opened(folder)
    rows = {key(number): bytes([number % 256]) * 500 for number in range(4000)}
    store.write(PARTITION, rows, reached=at(3999))
    store._db_for_partition(PARTITION).flush()
    await store.stop()


def damage(folder: Path) -> None:
    """Overwrite the middle of the table's files: what is there can be opened, but not read."""
    for file in folder.rglob("*.sst"):
        size = file.stat().st_size
        with file.open("r+b") as opened_file:
            opened_file.seek(size // 4)
            opened_file.write(b"\xff" * (size // 2))


async def test_damage_that_shows_at_a_read_has_the_next_start_build_the_store_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await filled(tmp_path)
    damage(tmp_path)
    store, _ = opened(tmp_path)
    with pytest.raises(Exception, match=r"(?i)corruption"):
        _ = [store.read(PARTITION, key(number)) for number in range(4000)]
    assert "the next start builds it again" in caplog.text
    await store.stop()
    again, changelog = opened(tmp_path)
    assert again.read(PARTITION, key(1)) is None
    assert again.persisted_offset(changelog) is None
    assert "it is built again from the changelog" in caplog.text
    again.write(PARTITION, {key(1): b"new"}, reached=at(0))
    await again.stop()
    kept, changelog = opened(tmp_path)
    assert (kept.read(PARTITION, key(1)), kept.persisted_offset(changelog)) == (b"new", 0)
    await kept.stop()


async def test_a_sound_store_is_kept(tmp_path: Path) -> None:
    await filled(tmp_path)
    store, changelog = opened(tmp_path)
    assert store.read(PARTITION, key(7)) == b"\x07" * 500
    assert store.persisted_offset(changelog) == 3999
    await store.stop()


async def test_a_manifest_that_lost_its_end_never_hides_a_row_that_the_offset_says_is_there(
    tmp_path: Path,
) -> None:
    folder, copies = tmp_path / "data", tmp_path / "copies"
    store, _ = opened(folder)
    # Three tables on the disk, too few to be merged, and rows that a kill leaves in memory.
    for number in range(350):
        store.write(PARTITION, {key(number): b"row"}, reached=at(number))
        if number % 100 == 99:
            store._db_for_partition(PARTITION).flush()
    offsets = set()
    for share in range(20):
        copy = copies / str(share)
        shutil.copytree(folder, copy)
        for manifest in copy.rglob("MANIFEST-*"):
            size = manifest.stat().st_size
            with manifest.open("r+b") as there:
                there.truncate(size - size * share // 20)
        cut, changelog = opened(copy)
        offset = cut.persisted_offset(changelog)
        offsets.add(offset)
        said = range(0 if offset is None else offset + 1)
        assert [one for one in said if cut.read(PARTITION, key(one)) is None] == []
        await cut.stop()
    await store.stop()
    assert offsets == {None, 99, 199, 299}


async def test_what_a_kill_leaves_unwritten_is_bounded(tmp_path: Path) -> None:
    store, changelog = opened(tmp_path / "data")
    for number in range(2500):
        store.write(PARTITION, {key(number): b"row"}, reached=at(number))
    copy = tmp_path / "copy"

    def as_killed() -> int:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(tmp_path / "data", copy)
        killed, _ = opened(copy)
        offset = killed.persisted_offset(changelog)
        killed._close(PARTITION)
        return -1 if offset is None else offset

    async with asyncio.timeout(20):
        while as_killed() < 1499:
            await asyncio.sleep(0.05)
    await store.stop()


async def test_a_store_that_was_closed_in_good_order_is_whole(tmp_path: Path) -> None:
    store, _ = opened(tmp_path)
    store.write(PARTITION, {key(1): b"row"}, reached=at(0))
    await store.stop()
    again, changelog = opened(tmp_path)
    assert (again.read(PARTITION, key(1)), again.persisted_offset(changelog)) == (b"row", 0)
    await again.stop()


async def test_a_write_that_fails_leaves_its_offset_to_be_replayed(tmp_path: Path) -> None:
    config = AppConfig(group="g", connection={"bootstrap_servers": ["localhost:1"]}, data_dir=tmp_path)
    app = build_app(config)
    table = app.owned_table("rows")._table
    store = cast("RocksStore", table.rows)
    app.finalize()
    table._replayed[PARTITION] = Replayed(4)
    store._db_for_partition(PARTITION).close()
    with pytest.raises(Exception, match=r"(?i)closed"):
        table.keep(PARTITION, {key(1): b"lost"}, [5])
    del store._dbs[PARTITION]
    table.keep(PARTITION, {key(2): b"kept"}, [6])
    assert store.read(PARTITION, key(2)) == b"kept"
    assert store.persisted_offset(TP(table.changelog_topic_name, PARTITION)) is None
    await store.stop()
