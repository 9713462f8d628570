"""The web views on real sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.web import Served, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """Without keys: this machine may do everything."""
    async with serving(tmp_path) as served:
        yield served


@pytest.fixture
async def keyed(tmp_path: Path) -> AsyncIterator[Served]:
    """With a key that may read and one that may act."""
    async with serving(
        tmp_path, API_READ_KEYS="ann:read-key-of-ann-0", API_ACT_KEYS="bo:act-key-of-bo-000,spare-key-of-bo-0"
    ) as served:
        yield served
