"""Finding catalog files: config/<environment>/<name> stands in for config/<name> where it exists."""

from pathlib import Path
from typing import Any

from aquascene.adapters import settings
from aquascene.adapters.resources import config_dir
from aquascene.errors import ConfigError


def locate(name: str) -> Path:
    """Locate a catalog file or folder of the current environment; a missing one is a ConfigError."""
    own = config_dir() / str(settings.current().environment) / name
    path = own if own.exists() else config_dir() / name
    if not path.exists():
        raise ConfigError(f"there is no {name} in {config_dir()}; create it (docs/how-to)")
    return path


def read(name: str) -> dict[str, Any]:
    """Read a catalog file, with {publication_url} put in as the address of the sample publication."""
    loaded = settings.read_yaml(locate(name))
    sandbox = settings.current().sandbox
    address = f"http://{sandbox.publication_host}:{sandbox.publication_port}"
    filled: dict[str, Any] = _fill(loaded, address)
    return filled


def _fill(value: Any, address: str) -> Any:
    if isinstance(value, dict):
        return {key: _fill(inner, address) for key, inner in value.items()}
    if isinstance(value, list):
        return [_fill(inner, address) for inner in value]
    return value.replace("{publication_url}", address) if isinstance(value, str) else value
