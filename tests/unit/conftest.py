"""Unit tests reach nothing but this machine, and no Kafka."""

from __future__ import annotations

import sys
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

# How long an example takes says something of the machine only.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

_guard = {"on": False}


def _refuse_other_machines(event: str, arguments: tuple[object, ...]) -> None:
    """Python tells its audit hooks of each connection and look-up before it is made."""
    if not _guard["on"]:
        return
    if event in {"socket.connect", "socket.sendto"}:
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else "localhost"
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    if not _is_this_machine(host):
        raise AssertionError(f"a unit test reaches out to {host!r}")


def _is_this_machine(host: object) -> bool:
    if host in {None, "", "localhost", b"localhost"}:
        return True
    try:
        return ip_address(host.decode() if isinstance(host, bytes) else str(host)).is_loopback
    except ValueError:
        return False


sys.addaudithook(_refuse_other_machines)


@pytest.fixture(autouse=True)
def _only_this_machine() -> Iterator[None]:
    _guard["on"] = True
    yield
    _guard["on"] = False


@pytest.fixture(scope="session")
def kafka() -> str:
    """Unit tests have no Kafka: what needs one belongs to tests/flow."""
    pytest.fail("a unit test asks for Kafka: move it to tests/flow", pytrace=False)
