"""A hash of the settings' schema: two releases with the same hash understand the same configuration."""

import hashlib
import json
from typing import Any

from aquascene.adapters.settings import Settings


def schema_sha256() -> str:
    """A hash of every setting, its type, bounds and default; texts that explain do not count."""
    return hashlib.sha256(json.dumps(without_texts(Settings.model_json_schema()), sort_keys=True).encode()).hexdigest()


def without_texts(value: Any) -> Any:
    """A JSON Schema without its titles and descriptions; properties that have these names stay."""
    if isinstance(value, dict):
        return {key: without_texts(part) for key, part in value.items() if not (key in ("description", "title") and isinstance(part, str))}
    return [without_texts(part) for part in value] if isinstance(value, list) else value
