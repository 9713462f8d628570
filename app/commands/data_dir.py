"""DATA_DIR: a worker's own folder, held by a lock that ends with the process, however it ends."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.settings import SettingsWrong
from app.stream.succession import name_of


@contextmanager
def claimed(folder: Path) -> Iterator[str | None]:
    """Makes the folder if need be and holds it alone; `SettingsWrong` when that cannot be.

    Gives the name of its lock, None where locks have none.
    """
    # Whatever this process makes from here on is its own: the folder holds customers' data.
    os.umask(0o077)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _tighten(folder)
        # Appending: the holder's number stays readable for whoever comes second.
        file = (folder / "worker.lock").open("a+", encoding="ascii")
    except OSError as wrong:
        raise SettingsWrong(
            f"DATA_DIR is {str(folder)!r}: {wrong.strerror}; allowed: a folder that can be written"
        ) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise SettingsWrong(
                f"DATA_DIR is {str(folder)!r}: the worker with process id {file.read().strip() or 'unknown'} "
                "uses it; allowed: a folder of its own for each worker"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield name_of(file)


def _tighten(folder: Path) -> None:
    """Nobody else may read what stands in the folder, also what was made before this was so."""
    for path in (folder, *folder.rglob("*")):
        if path.is_symlink():
            continue
        # A volume of another owner, which a cluster may hand out, is guarded by that owner.
        with suppress(PermissionError, FileNotFoundError):
            path.chmod(0o700 if path.is_dir() else 0o600)


def fitted(folder: Path, stamp: str) -> bool:
    """Whether the folder's stores are of the cluster and group that `stamp` names, or there were none.

    Stores of another one would be taken for the tables: they are removed, and rebuilt from the changelogs.
    """
    file = folder / "stores.txt"
    written = file.read_text(encoding="utf-8") if file.exists() else None
    stores = sorted(folder.glob("v*/tables"))
    fits = written == stamp or not stores
    if not fits:
        for store in stores:
            shutil.rmtree(store)
    file.write_text(stamp, encoding="utf-8")
    return fits
