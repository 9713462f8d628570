"""The command `check`: what is still missing for going live. Reads only."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from dataclasses import asdict, replace

import click
import orjson

from app.commands.status import ExitStatus
from app.servicetitan.preflight import SCOPES, TAGS_SCOPE, Finding, preflight
from app.setting_types import Mode
from app.settings import Settings, load
from app.stream.kafka import KafkaAway, connection, wait_for_kafka
from app.stream.provision import ensure
from app.stream.topology import TopicsWrong, topics
from app.telemetry.log import printable
from app.worker.upstream_config import upstream_config

_EXAMPLES = """\b
Examples:
  servicetitan-stream check
  BUSINESS_FILE=business.toml servicetitan-stream check --json
"""
_SCOPES = "\n".join(
    ("\b", "Scopes that the app needs in ServiceTitan:", *(f"  {one}" for one in sorted(SCOPES)))
)
_TAGS = f"\b\nand where the business file names tags:\n  {TAGS_SCOPE}"


@click.command(epilog=f"{_SCOPES}\n\n{_TAGS}\n\n{_EXAMPLES}")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for scripts.")
@click.option(
    "--wait",
    default=10.0,
    show_default=True,
    type=click.FloatRange(0),
    help="Seconds to wait for Kafka to answer.",
)
def check(*, as_json: bool, wait: float) -> int:
    """Look at all that going live needs, and change nothing: status 0 only when nothing is missing.

    Token, app key and tenant, scopes, the business file's names, slots, the clock, webhooks, Kafka, topics.
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    found = asyncio.run(_all(load(os.environ), wait))
    well = all(one.well for one in found)
    if as_json:
        document = {"well": well, "checks": [asdict(one) for one in found]}
        click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    else:
        width = max(len(one.what) for one in found)
        for one in found:
            # A detail may be a stranger's words.
            detail = printable(" ".join(one.detail.split()))
            click.echo(f"{'ok' if one.well else 'MISSING':<7}  {one.what:<{width}}  {detail}")
    return ExitStatus.DONE if well else ExitStatus.NOT_DONE


async def _all(settings: Settings, wait: float) -> list[Finding]:
    return [one async for one in _findings(settings, wait)]


async def _findings(settings: Settings, wait: float) -> AsyncIterator[Finding]:
    # What would be guessed in simulation is missing where it counts.
    async for one in preflight(replace(upstream_config(settings), guess_names=False)):
        yield one
    yield _webhook_secret(settings)
    yield await _kafka(settings, wait)


def _webhook_secret(settings: Settings) -> Finding:
    what = "webhook secret"
    if settings.webhook_secrets:
        return Finding(what=what, well=True, detail="set")
    if settings.mode is Mode.SIMULATION:
        return Finding(what=what, well=True, detail="not needed in simulation")
    return Finding(what=what, well=False, detail="no webhook is taken until WEBHOOK_SECRETS is set")


async def _kafka(settings: Settings, wait: float) -> Finding:
    what = "Kafka and topics"
    arguments = connection(settings)
    try:
        await wait_for_kafka(arguments, seconds=wait, say=_nobody)
        found = await ensure(topics(settings), arguments, create=False)
    except (KafkaAway, TopicsWrong) as wrong:
        return Finding(what=what, well=False, detail=" ".join(str(wrong).split()))
    return Finding(what=what, well=True, detail=f"{sum(1 for _ in found.topics)} topics as needed")


def _nobody(_: str, **__: object) -> None:
    """Waiting is told by what it comes to."""
