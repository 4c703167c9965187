"""Where packaged files are: in a checkout at the top level, in an installed wheel inside the package."""

from pathlib import Path

import aquascene

_PACKAGE = Path(aquascene.__file__).resolve().parent
_CHECKOUT = _PACKAGE.parent


def resource(name: str) -> Path:
    """Locate a packaged folder or file by its name in the checkout (config, migrations, prefect.yaml)."""
    packaged = _PACKAGE / "_data" / name
    return packaged if packaged.exists() else _CHECKOUT / name


def config_dir() -> Path:
    """Locate the configuration folder."""
    return resource("config")
