"""The command `business`: print the business file in use, as a start for one's own."""

import os

import click

from app.business_file import text_of
from app.settings import load

_EXAMPLES = """\b
Examples:
  servicetitan-stream business > business.toml
  BUSINESS_FILE=business.toml servicetitan-stream business
"""


@click.command(epilog=_EXAMPLES)
def business() -> None:
    """Print the business file in use: problems, areas, time zone, names in ServiceTitan."""
    click.echo(text_of(load(os.environ).business_file), nl=False)
