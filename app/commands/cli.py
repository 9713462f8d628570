"""The group of commands: Faust's click group with our commands, each imported when it is asked for."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version

import click
from faust.cli.base import cli as faust_cli

from app.commands.status import MEANINGS, ExitStatus, status_of

NAME = "servicetitan-stream"


@dataclass(frozen=True, slots=True)
class Row:
    """One command: where its click command is (`module:attribute`), and what it does in a few words."""

    where: str
    does: str
    simulates: bool = False
    """Refused while SERVICETITAN_API_URL is ServiceTitan's own."""

    def load(self) -> click.Command:
        """Imports the command."""
        module, _, attribute = self.where.partition(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{self.where} is no click command")
        return command


ROWS: Mapping[str, Row] = {
    "worker": Row("app.commands.worker:worker", "Run a worker: streams, lanes and web views."),
    "demo": Row("app.local.demo:demo", "See bookings become jobs, all on this machine.", simulates=True),
    "simulator": Row("app.simulator.command:simulator", "Run a simulated ServiceTitan.", simulates=True),
    "broker": Row("app.local.command:broker", "Run a Kafka on this machine."),
    "topics": Row("app.commands.topics:topics", "Create or check the topics."),
    "check": Row("app.commands.check:check", "Say what is still missing for going live."),
    "send": Row("app.commands.send:send", "Send an example or a given booking event."),
    "business": Row("app.commands.business:business", "Print the business file in use."),
    "booking": Row("app.commands.booking:booking", "Show what happened to one booking."),
    "dead-letters": Row("app.commands.dead_letters:dead_letters", "See and put right what failed for good."),
    "schemas": Row("app.commands.schemas:schemas", "Write or check the published schemas."),
}

_EXAMPLES = f"""\b
Examples:
  {NAME} demo
  {NAME} broker --port 9092
  {NAME} topics --check
  {NAME} simulator --help
"""
_STATUSES = "\b\nExit status:\n" + "\n".join(f"  {status.value}  {says}" for status, says in MEANINGS.items())
_MORE = "\b\nSettings come from environment variables; deploy/SETTINGS.md lists them. NO_COLOR is honoured."


class _Refusal(click.ClickException):
    exit_code = ExitStatus.WRONG


class Commands(type(faust_cli)):  # type: ignore[misc]  # Faust ships the class of its group without a public name
    """Faust's group without its own commands and options.

    Faust's options either repeat settings (`--datadir`, `--loglevel`) or would go round their checks
    (`--web-bind`), so none is kept.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names, in the order of the table."""
        return list(ROWS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Imports one command."""
        row = ROWS.get(cmd_name)
        return row.load() if row else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Writes the table of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, row.does) for name, row in ROWS.items()])

    def _maybe_import_app(self, argv: Sequence[str] = ()) -> None:
        """Faust would look for `-A` among the arguments of every command and import what follows."""


@click.command(
    cls=Commands,
    name=NAME,
    epilog=f"{_EXAMPLES}\n{_STATUSES}\n\n{_MORE}",
    context_settings={"max_content_width": 110},
)
@click.version_option(version(NAME), prog_name=NAME)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Turns each online booking into exactly one ServiceTitan job."""
    row = ROWS.get(ctx.invoked_subcommand or "")
    live = _what_is_live(os.environ) if row and row.simulates else None
    if live:
        raise _Refusal(f"{ctx.invoked_subcommand} refuses to run in live mode: {live}; unset it first")


def _what_is_live(environ: Mapping[str, str]) -> str | None:
    """The setting that makes it live, and why; None when none does."""
    from app.setting_types import Mode, address, mode_of  # noqa: PLC0415 - read by what simulates alone

    if environ.get("SERVICETITAN_MODE", "").strip().lower() == Mode.LIVE:
        return "SERVICETITAN_MODE is live"
    try:
        live = mode_of(address(environ.get("SERVICETITAN_API_URL", ""))) is Mode.LIVE
    except ValueError:
        return None
    return "SERVICETITAN_API_URL is ServiceTitan's own" if live else None


def run(arguments: Sequence[str]) -> int:
    """Runs one command; gives its exit status."""
    return ending(lambda: cli.main(list(arguments), prog_name=NAME, standalone_mode=False))


def ending(work: Callable[[], object]) -> int:
    """The exit status of some work: what it gives if that is a number.

    A known problem is its text on stderr, never a traceback.
    """
    try:
        ended = work()
    except click.ClickException as problem:
        problem.show()
        return problem.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        return ExitStatus.NOT_DONE
    except BrokenPipeError:
        # Whoever read our output has gone; Python would say so again while it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitStatus.NOT_DONE
    except Exception as problem:
        status = status_of(problem)
        if status is None:
            raise
        click.echo(str(problem), err=True)
        return status
    return ended if isinstance(ended, int) else ExitStatus.DONE
