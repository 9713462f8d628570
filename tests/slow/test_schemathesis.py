"""The API held against its own description, by requests that nobody would think of."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.support.rows import held, with_job
from tests.support.web import serving

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "tests" / "support" / "schemathesis.toml"
HOOKS = "tests.support.schemathesis_hooks"
EXAMPLES = 60


@pytest.mark.timeout(600)
async def test_no_request_that_it_makes_up_finds_a_fault(tmp_path: Path) -> None:
    keys = {"API_ACT_KEYS": "act-key-of-bo-000", "WEB_WAIT_SECONDS": "0"}
    async with serving(tmp_path, **keys) as served:
        served.view.put(with_job("b-1", 1001), held("b-2"))
        finding = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "schemathesis.cli",
            f"--config-file={CONFIG}",
            "run",
            f"{served.address}/openapi.json",
            "--phases=examples,coverage,fuzzing,stateful",
            f"--max-examples={EXAMPLES}",
            "--header=Authorization: Bearer act-key-of-bo-000",
            "--no-color",
            cwd=tmp_path,
            env={**os.environ, "SCHEMATHESIS_HOOKS": HOOKS, "PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await finding.communicate()
    assert finding.returncode == 0, said.decode()
