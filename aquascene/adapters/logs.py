"""Structured logs: a static event name, then key=value; one JSON object per line in services, readable text in a terminal.

Code logs with `logging.getLogger(__name__)` and `log.info("page_fetched page_id=%s size_bytes=%d", ...)`.
Services write to stdout, commands to stderr, where their results are not. Inside Prefect the same records reach the run's
log by PREFECT_LOGGING_EXTRA_LOGGERS; `PREFECT_VARIABLES` make Prefect's own processes write the same lines as ours.
"""

import json
import logging
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, TextIO

from aquascene.adapters.versions import version

_EVENT = re.compile(r"[a-z0-9_]+(?= \w+=)")
_PAIR = re.compile(r"(\w+)=(.*?)(?= \w+=|$)", re.DOTALL)
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
# websockets writes frames at DEBUG, and the first one of Prefect's event stream is its password.
_NOISY = ("alembic.runtime.plugins", "httpx", "httpcore", "httpx2", "httpcore2", "urllib3", "websockets", "trafilatura", "htmldate")

# For the environment of Prefect's servers, workers and flow runs; they override single values of Prefect's own logging.yml.
PREFECT_VARIABLES = {
    "PREFECT_LOGGING_HANDLERS_CONSOLE_CLASS": "aquascene.adapters.logs.PrefectConsole",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_STREAM": "ext://sys.stdout",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_FORMATTER": "json",
    "PREFECT_LOGGING_HANDLERS_DEBUG_FORMATTER": "json",
    "PREFECT_LOGGING_FORMATTERS_JSON_CLASS": "aquascene.adapters.logs.JsonFormatter",
}


def redact(message: str) -> str:
    """Hide anything that looks like a mail address: the last line of defence, not the first."""
    return _ADDRESS.sub("[address]", message)


class JsonFormatter(logging.Formatter):
    """One JSON object per record: time, level, logger, event and its fields, the run that it belongs to, the version."""

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()  # whoever configures logging by a file hands a format over, and there is but one

    def format(self, record: logging.LogRecord) -> str:
        message = redact(record.getMessage())
        event = _EVENT.match(message)
        pairs = dict(_PAIR.findall(message, event.end())) if event else {}
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "event": event[0] if event else message,
            **dict(_run_of(record)),
        }
        entry = {**entry, **{name: value for name, value in pairs.items() if name not in entry}, "version": version()}
        if record.exc_info:
            entry["error"] = redact(self.formatException(record.exc_info))
        return json.dumps(entry, ensure_ascii=False)


def _run_of(record: logging.LogRecord) -> Iterator[tuple[str, str]]:
    """Tell the flow run and task run that a record belongs to: Prefect's own loggers say it, for others the thread's context knows."""
    # Looked up, not imported: this module belongs to processes that know no Prefect, too.
    context = sys.modules.get("prefect.context")
    task = context.TaskRunContext.get() if context else None
    flow = context.FlowRunContext.get() if context else None
    known = {
        "flow_run_id": (flow and flow.flow_run and flow.flow_run.id) or (task and task.task_run.flow_run_id) or os.environ.get("PREFECT__FLOW_RUN_ID"),
        "task_run_id": task and task.task_run.id,
    }
    for name, found in known.items():
        if value := getattr(record, name, None) or found:
            yield name, str(value)


class TextFormatter(logging.Formatter):
    """One readable line per record."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class PrefectConsole(logging.StreamHandler[TextIO]):
    """The console of Prefect's processes: whole lines in place of painted ones, and no line for every request that it sends."""

    def __init__(self, stream: TextIO | None = None, styles: object = None) -> None:
        super().__init__(stream)
        self.addFilter(lambda record: record.levelno >= logging.WARNING or record.name.split(".", 1)[0] not in _NOISY)


def configure(level: str, style: str, stream: TextIO | None = None) -> None:
    """Send all records, and Python's warnings, to a stream (stderr); idempotent."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(True)
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
