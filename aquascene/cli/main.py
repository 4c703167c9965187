"""The `aquascene` command: one Typer application per noun, loaded only when it is called.

Exit codes are those of `aquascene.cli.output`; every command that returns something has --json.
"""

import importlib
import os
import signal
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from aquascene.adapters import logs, settings
from aquascene.adapters.supervisor import attach
from aquascene.cli.output import EXIT_INPUT, fail
from aquascene.errors import AquasceneError

# name -> (module, what it does); loading them all at once would import the web and every provider.
_GROUPS = {
    "config": ("aquascene.cli.config", "Check, show and explain the settings."),
    "db": ("aquascene.cli.db", "Migrate and check the database."),
    "sources": ("aquascene.cli.sources", "List, check and crawl sources."),
    "drafts": ("aquascene.cli.drafts", "Show and check drafts."),
    "site": ("aquascene.cli.site", "List the versions of the public site and go back to the one before."),
    "subscribers": ("aquascene.cli.subscribers", "Import, export, erase and count subscribers."),
    "campaigns": ("aquascene.cli.campaigns", "Show how a campaign stands and export its deliveries."),
    "keys": ("aquascene.cli.keys", "Create and revoke API keys."),
    "release": ("aquascene.cli.release", "Register, list, show and block releases."),
    "promote": ("aquascene.cli.promote", "Bring a release to an environment, and go back."),
}
_COMMANDS = {
    "up": ("aquascene.cli.up", "up", "Start everything embedded and stay until Ctrl-C."),
    "demo": ("aquascene.cli.demo", "demo", "Run the main job on embedded parts and print what came out."),
    "doctor": ("aquascene.cli.doctor", "doctor", "Check this machine and installation; say what is wrong and what to do."),
    "smoke": ("aquascene.cli.smoke", "smoke", "Ask a running installation a few questions that readers and programs ask."),
    "extract": ("aquascene.cli.sources", "extract_command", "Extract the document from a saved page as JSON."),
}


class _Lazy(TyperGroup):
    """Lists every command and imports only the one that is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*_COMMANDS, *_GROUPS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in _GROUPS:
            module, summary = _GROUPS[cmd_name]
            return _named(typer.main.get_command(importlib.import_module(module).app), cmd_name, summary)
        if cmd_name in _COMMANDS:
            module, attribute, summary = _COMMANDS[cmd_name]
            single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            single.command(name=cmd_name)(getattr(importlib.import_module(module), attribute))
            return _named(typer.main.get_command(single), cmd_name, summary)
        return None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        rows = [(name, text) for name, (_, _, text) in _COMMANDS.items()] + [(name, text) for name, (_, text) in _GROUPS.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _named(command: Any, name: str, summary: str) -> Any:
    command.name = name
    command.short_help = summary
    return command


app = typer.Typer(cls=_Lazy, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.callback()
def _start(
    ctx: typer.Context,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log to stderr at the level of the settings instead of warnings only.")] = False,
) -> None:
    """AquaScene: read, draft, review, publish, mail."""
    if ctx.invoked_subcommand == "config":  # it tells what is wrong with the settings, so it must start with wrong ones
        logs.configure("WARNING", "text")
        return
    # The migration job holds the databases' secrets and no others.
    settings.expect_secrets(("database_url", "ledger_database_url") if ctx.invoked_subcommand == "db" else None)
    if ctx.invoked_subcommand in _GROUPS:
        attach()
    config = settings.current()
    logs.configure(config.log_level if verbose else "WARNING", "text")


def main() -> None:
    """Run the command; the product's errors end in one message and an exit code."""
    if os.getpid() == 1:  # of a container: without a handler the kernel would not let SIGTERM through
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        app()
    except AquasceneError as exc:
        sys.exit(fail(exc))
    except BrokenPipeError:
        sys.exit(EXIT_INPUT)


if __name__ == "__main__":
    main()
