"""How commands speak: results on stdout (text or --json), progress and errors on stderr, documented exit codes.

0 done · 1 done, but something in the result is not as it should be · 2 bad input or settings · 3 the outside world failed
· 4 a bug · 130 interrupted.
"""

import dataclasses
import json
import sys
from collections.abc import Callable
from datetime import date, datetime
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec
from uuid import UUID

import typer
from pydantic import BaseModel, SecretStr
from rich.console import Console
from rich.markup import escape

from aquascene.errors import AquasceneError, PermanentError, TransientError

P = ParamSpec("P")
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

EXIT_INCOMPLETE, EXIT_INPUT, EXIT_OUTSIDE, EXIT_BUG = 1, 2, 3, 4


def plain(value: Any) -> Any:
    """Turn results into JSON's types; secrets stay hidden."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, BaseModel):
        return plain(value.model_dump())
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    if isinstance(value, SecretStr):
        return "**********"
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, UUID | Path) else value


def print_json(value: Any) -> None:
    """Print one JSON document on stdout."""
    sys.stdout.write(json.dumps(plain(value), indent=2, ensure_ascii=False, default=str) + "\n")


def say(line: str) -> None:
    """Print one line of progress on stderr."""
    err.print(f"[dim]·[/dim] {escape(line)}")


def fail(error: AquasceneError) -> int:
    """Print what was wrong, where and what to do; returns the exit code of the branch."""
    err.print(f"[bold red]error:[/bold red] {escape(str(error))}")
    if isinstance(error, PermanentError):
        return EXIT_INPUT
    return EXIT_OUTSIDE if isinstance(error, TransientError) else EXIT_BUG


def command(function: Callable[P, Any]) -> Callable[P, None]:
    """Wrap a command: the product's errors become one message and an exit code, never a traceback."""

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = function(*args, **kwargs)
        except AquasceneError as exc:
            raise typer.Exit(fail(exc)) from exc
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        if isinstance(code, int) and code:
            raise typer.Exit(code)

    return wrapped
