"""Deploy targets behind one port (`release.ports.Target`); one is a module here and one line in the registry.

A loader takes the environment's name and `target_options` of config/environments.yaml, which it checks itself.
"""

from collections.abc import Callable, Mapping
from typing import Any

from aquascene.adapters.clusters import none
from aquascene.release.ports import Target

TARGETS: dict[str, Callable[[str, Mapping[str, Any]], Target]] = {
    "none": none.load,
}
