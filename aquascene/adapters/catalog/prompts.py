"""Prompts: config/prompts/<content type>.md with a system and a user part; the file's hash is its version."""

import hashlib
import re

from aquascene.adapters.catalog.files import locate
from aquascene.drafting.prompt import Prompt
from aquascene.errors import ConfigError

_MARK = re.compile(r"^<!-- (system|user) -->\s*$", re.MULTILINE)
_NEEDED = {"system": ("nonce", "canary"), "user": ("request", "sections", "evidence")}


def load_prompt(content_type: str) -> Prompt:
    """Read the prompt of a content type; ConfigError when a part or a needed place is missing."""
    path = locate(f"prompts/{content_type}.md")
    whole = path.read_text(encoding="utf-8")
    pieces = _MARK.split(whole)
    parts = {name: text.strip() for name, text in zip(pieces[1::2], pieces[2::2], strict=True)}
    for name, places in _NEEDED.items():
        missing = [place for place in places if f"{{{{{place}}}}}" not in parts.get(name, "")]
        if missing:
            raise ConfigError(f"{path}: the part <!-- {name} --> must hold {', '.join('{{' + place + '}}' for place in missing)}")
    return Prompt(content_type, hashlib.sha256(whole.encode()).hexdigest()[:12], parts["system"], parts["user"])
