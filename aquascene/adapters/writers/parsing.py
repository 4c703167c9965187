"""From a provider's text to a completion; the same for every provider."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from aquascene.drafting.ports import Completion, Stop, Usage


def completion(schema: type[BaseModel], text: str, stop: Stop, usage: Usage, provider: str, model: str, raw: Mapping[str, Any] | None = None) -> Completion:
    """Validate a finished answer by its schema; one that does not fit ends as INVALID, with what it used still counted."""
    parsed: BaseModel | None = None
    if stop is Stop.DONE:
        try:
            parsed = schema.model_validate_json(text)
        except ValidationError:
            stop = Stop.INVALID
    return Completion(parsed, raw or {}, usage, stop, text, provider, model)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After in seconds; the date form and nonsense give None."""
    try:
        return max(0.0, float(headers.get("retry-after", "")))
    except ValueError:
        return None


PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""HTTP statuses after which the same call may succeed later."""
