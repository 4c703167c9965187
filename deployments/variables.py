"""The environment variables of prefect.yaml. Needs no Prefect: the build step runs it before every deployment."""

import os
import re
from typing import Any

from aquascene.adapters.resources import resource
from aquascene.adapters.settings import Environment

KINDS = ("process", "docker", "kubernetes")
_VARIABLE = re.compile(r"\{\{\s*\$(\w+)\s*\}\}")


def variables() -> list[str]:
    """Name every environment variable that prefect.yaml uses."""
    return sorted(set(_VARIABLE.findall(resource("prefect.yaml").read_text(encoding="utf-8"))))


def problems() -> list[str]:
    """Say what is wrong with the variables of a `prefect deploy`; an unset one would become an empty string."""
    found = [f"{name} is not set" for name in variables() if not os.environ.get(name) and not _without_image(name)]
    if (kind := os.environ.get("WORK_POOL")) and kind not in KINDS:
        found.append(f"WORK_POOL={kind!r} is none of {', '.join(KINDS)}")
    if (name := os.environ.get("ENVIRONMENT")) and name not in list(Environment):
        found.append(f"ENVIRONMENT={name!r} is none of {', '.join(Environment)}")
    return found


def _without_image(name: str) -> bool:
    """A process pool runs what is installed beside its worker."""
    return name == "IMAGE" and os.environ.get("WORK_POOL") == "process"


def fill(value: Any, values: dict[str, Any]) -> Any:
    """Put variables into every string of a document; a string that is one variable becomes its value, of any type."""
    if isinstance(value, dict):
        return {key: fill(inner, values) for key, inner in value.items()}
    if isinstance(value, list):
        return [fill(inner, values) for inner in value]
    if not isinstance(value, str):
        return value
    whole = _VARIABLE.fullmatch(value)
    return values[whole[1]] if whole else _VARIABLE.sub(lambda match: str(values[match[1]]), value)
