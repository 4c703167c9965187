"""config/segments.yaml: named rules about subscribers."""

from aquascene.adapters.catalog import files
from aquascene.audience.segments import Segment, parse
from aquascene.errors import ConfigError


def load_segments() -> dict[str, Segment]:
    """Read all segments by name; ConfigError names what is wrong and where."""
    found: dict[str, Segment] = {}
    for name, entry in files.read("segments.yaml").items():
        if not isinstance(entry, dict) or set(entry) - {"description", "rule"} or "rule" not in entry:
            raise ConfigError(f"segments.yaml, {name}: give `rule` and, if you like, `description`")
        found[name] = Segment(name, str(entry.get("description", "")), parse(entry["rule"], f"segments.yaml, {name}.rule"))
    return found


def get_segment(name: str) -> Segment:
    """Read one segment; an unknown name is a ConfigError."""
    found = load_segments()
    if name not in found:
        raise ConfigError(f"segments.yaml has no segment {name!r}; it has {', '.join(found)}")
    return found[name]
