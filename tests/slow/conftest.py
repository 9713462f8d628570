"""What takes long: `uv run pytest tests/slow`; `.ci/run` does it after the README's own line."""

from tests.flow.conftest import flow

__all__ = ["flow"]
