"""Programs that tests need and that no package index has: Debian's, installed when they are missing.

So that the README's one line is all there is to do, on a machine where the tests may install (as root, with
apt-get). Elsewhere they fail at once and say what to install; they are never skipped.
"""

import os
import shutil
import subprocess
from collections.abc import Iterable

NEEDED = {
    "tests/browser/": ("chromium", "chromium"),
    "tests/deploy/test_alerts.py": ("promtool", "prometheus"),
    "tests/deploy/test_dashboard.py": ("promtool", "prometheus"),
    "tests/flow/test_metrics.py": ("promtool", "prometheus"),
    "tests/flow/test_prometheus.py": ("prometheus", "prometheus"),
    "tests/kill/test_short.py": ("faketime", "faketime"),
}
"""By the beginning of a test's path: the program, and the Debian package that brings it."""


class ProgramMissing(Exception):  # noqa: N818 - read as a sentence: "program missing"
    """Tests were chosen that need a program which is not here and cannot be installed."""


def packages_for(tests: Iterable[str]) -> list[str]:
    """The packages that these tests need and that are missing, each once."""
    chosen = {
        package
        for test in tests
        for path, (program, package) in NEEDED.items()
        if test.startswith(path) and shutil.which(program) is None
    }
    return sorted(chosen)


def install(packages: list[str]) -> None:
    """Install Debian packages. Raises ProgramMissing, naming them, when that cannot be done here."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ProgramMissing(
            f"these tests need: {' '.join(packages)}; install them, for example with apt-get"
        )
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    update = ["apt-get", "update", "-qq"]
    add = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *packages]
    for command in (update, add):
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ProgramMissing(f"{' '.join(command)} failed: {done.stderr.strip()[-300:]}")
