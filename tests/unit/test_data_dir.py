from pathlib import Path

from app.commands.data_dir import fitted


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
