"""For containers: `python -m app.commands.healthcheck [URL]` ends with 0 when that answers 200, else 1.

Without an address it asks this environment's worker whether it lives.
"""

import os
import sys
from http.client import HTTPException
from urllib.request import ProxyHandler, build_opener

import click

from app.settings import Settings, SettingsWrong, load

_SECONDS = 3.0


def address(settings: Settings) -> str:
    """Where the worker of these settings says that it lives."""
    return f"{settings.web_url}/live"


def answers(url: str) -> bool:
    """Whether this address answers 200 within a few seconds. No proxy is asked."""
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=_SECONDS) as response:
            return bool(response.status == 200)
    except (OSError, HTTPException, ValueError) as wrong:
        click.echo(f"{url}: {wrong}", err=True)
        return False


def main(arguments: list[str]) -> int:
    """The exit status."""
    try:
        url = arguments[0] if arguments else address(load(os.environ))
    except SettingsWrong as wrong:
        click.echo(str(wrong), err=True)
        return 1
    return 0 if answers(url) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
