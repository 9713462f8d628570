import os
from pathlib import Path

from app.commands.data_dir import claimed, fitted


def store(folder: Path) -> Path:
    rows = folder / "v1" / "tables" / "bookings-0.db"
    rows.mkdir(parents=True)
    return rows


def test_a_new_folder_fits(tmp_path: Path) -> None:
    assert fitted(tmp_path, "cluster-1 group")
    assert fitted(tmp_path, "cluster-1 group")


def test_stores_of_the_same_cluster_and_group_stay(tmp_path: Path) -> None:
    assert fitted(tmp_path, "cluster-1 group")
    rows = store(tmp_path)

    assert fitted(tmp_path, "cluster-1 group")

    assert rows.exists()


def test_stores_of_another_cluster_are_removed(tmp_path: Path) -> None:
    assert fitted(tmp_path, "cluster-1 group")
    rows = store(tmp_path)

    assert not fitted(tmp_path, "cluster-2 group")

    assert not rows.exists()
    assert fitted(tmp_path, "cluster-2 group")


def test_stores_without_a_stamp_are_removed(tmp_path: Path) -> None:
    rows = store(tmp_path)

    assert not fitted(tmp_path, "cluster-1 group")

    assert not rows.exists()


def test_nobody_else_may_read_what_stands_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    rows = store(folder)
    (rows / "1.sst").write_text("Ada", encoding="utf-8")
    (rows / "1.sst").chmod(0o644)
    before = os.umask(0o022)
    try:
        with claimed(folder):
            (folder / "view.sqlite").write_text("Ada", encoding="utf-8")
            modes = {path.name: path.stat().st_mode & 0o777 for path in (folder, *folder.rglob("*"))}
    finally:
        os.umask(before)
    assert {modes.pop(name) for name in ("1.sst", "view.sqlite", "worker.lock")} == {0o600}
    assert set(modes.values()) == {0o700}
