"""Structured logs: a static event name, then key=value; JSON to stderr in services, readable text in a terminal.

Code logs with `logging.getLogger(__name__)` and `log.info("page_fetched page_id=%s size_bytes=%d", ...)`.
Inside Prefect the same records reach the run's log by PREFECT_LOGGING_EXTRA_LOGGERS.
"""

import json
import logging
import re
import sys
from datetime import UTC, datetime

_PAIR = re.compile(r"(\w+)=(\S+)")
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")


def redact(message: str) -> str:
    """Hide anything that looks like a mail address: the last line of defence, not the first."""
    return _ADDRESS.sub("[address]", message)


class JsonFormatter(logging.Formatter):
    """One JSON object per record: time, level, logger, event and its fields."""

    def format(self, record: logging.LogRecord) -> str:
        message = redact(record.getMessage())
        entry: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "event": message.split(" ", 1)[0] if _PAIR.search(message) else message,
            **dict(_PAIR.findall(message)),
        }
        if record.exc_info:
            entry["error"] = redact(self.formatException(record.exc_info))
        return json.dumps(entry, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """One readable line per record."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def configure(level: str, style: str) -> None:
    """Send all records to stderr; idempotent."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # websockets writes frames at DEBUG, and the first one of Prefect's event stream is its password.
    for noisy in ("httpx", "httpcore", "httpx2", "httpcore2", "urllib3", "websockets", "trafilatura", "htmldate"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
