"""The target `none`: a rehearsal. Its state is one file in `aquascene_home`, so that several commands see the same world."""

from collections.abc import Mapping
from typing import Any

from aquascene.adapters import settings
from aquascene.adapters.promotion.rehearsal import FileCell, RehearsalTarget
from aquascene.release.ports import Target


def cell(environment: str) -> FileCell:
    """The file in which an environment is rehearsed."""
    return FileCell(settings.current().aquascene_home / "rehearsal" / f"{environment}.json")


def load(environment: str, options: Mapping[str, Any]) -> Target:
    """Open the rehearsal of an environment; it takes no options."""
    return RehearsalTarget(cell(environment))
