"""Programs that tests need and that no package index has: Debian's, installed when they are missing.

So that the README's one line is all there is to do, on a machine where the tests may install (as root, with
apt-get). Which packages is said before. Elsewhere, and where TESTS_MAY_INSTALL is `no`, they fail at once and
say what to install; they are never skipped.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable

VARIABLE = "TESTS_MAY_INSTALL"
"""Set to `no` where nothing may be installed: tests that need a missing program then fail at once."""

NEEDED = {
    "tests/browser/": ("chromium", "chromium"),
    "tests/deploy/test_alerts.py": ("promtool", "prometheus"),
    "tests/deploy/test_dashboard.py": ("promtool", "prometheus"),
    "tests/flow/test_metrics.py": ("promtool", "prometheus"),
    "tests/flow/test_prometheus.py": ("prometheus", "prometheus"),
    "tests/slow/test_kill_trials.py": ("faketime", "faketime"),
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
    """Install Debian packages. Raises ProgramMissing, naming them, when it cannot or may not do so."""
    named = " ".join(packages)
    may = os.environ.get(VARIABLE, "yes")
    if may not in {"yes", "no"}:
        raise ProgramMissing(f"{VARIABLE} is {may!r}: yes (the default) or no")
    if may == "no" or os.geteuid() != 0 or shutil.which("apt-get") is None:
        why = f" ({VARIABLE} is no)" if may == "no" else ""
        raise ProgramMissing(f"these tests need: {named}; install them, for example with apt-get{why}")
    print(
        f"The tests need what is missing here; apt-get installs: {named} ({VARIABLE}=no refuses)",
        file=sys.stderr,
        flush=True,
    )
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    update = ["apt-get", "update", "-qq"]
    add = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *packages]
    for command in (update, add):
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ProgramMissing(f"{' '.join(command)} failed: {done.stderr.strip()[-300:]}")
