"""The command `schemas`: write the published schemas, or check that they are as they should be."""

from pathlib import Path

import click

from app.commands.published import files
from app.commands.status import ExitStatus

_EXAMPLES = """\b
Examples:
  servicetitan-stream schemas
  servicetitan-stream schemas --check && echo as published
"""


@click.command(epilog=_EXAMPLES)
@click.option("--check", is_flag=True, help="Write nothing; status 1 when a file is missing or differs.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("schemas"),
    show_default=True,
    help="Where they are.",
)
def schemas(*, check: bool, folder: Path) -> int:
    """Write JSON Schemas of all events and the API's description; what is no schema any more goes."""
    wanted = files()
    stale = differing(folder, wanted)
    if not check:
        write(folder, wanted, stale)
    for name in stale:
        click.echo(f"{'differs' if check else 'written' if name in wanted else 'removed'}  {folder / name}")
    click.echo(f"{len(wanted)} schemas, {len(stale)} {'differ' if check else 'changed'}")
    return ExitStatus.NOT_DONE if check and stale else ExitStatus.DONE


def differing(folder: Path, wanted: dict[str, bytes]) -> list[str]:
    """The files that are missing, say something else, or are events that are no more; sorted."""
    there = {path.relative_to(folder).as_posix() for path in folder.glob("events/*.json")}
    other = {name for name, text in wanted.items() if not _says(folder / name, text)}
    return sorted(other | (there - wanted.keys()))


def write(folder: Path, wanted: dict[str, bytes], names: list[str]) -> None:
    """Makes these files what they should be."""
    for name in names:
        path = folder / name
        if name not in wanted:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wanted[name])


def _says(path: Path, text: bytes) -> bool:
    return path.is_file() and path.read_bytes() == text
