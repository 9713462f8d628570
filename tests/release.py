"""Part of making a release: freezes the schemas of events as the released ones: `python -m tests.release`.

From then on `tests/unit/commands/test_compatibility.py` holds every change against them.
"""

import shutil
from pathlib import Path

SCHEMAS = Path(__file__).parents[1] / "schemas"
RELEASED = SCHEMAS / "released"


def freeze() -> None:
    """Makes the released schemas the ones of now."""
    if RELEASED.exists():
        shutil.rmtree(RELEASED)
    shutil.copytree(SCHEMAS / "events", RELEASED)


if __name__ == "__main__":
    freeze()
