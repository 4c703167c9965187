"""The kinds of text, one module each; a new one is a module, a line here and a prompt in config/prompts."""

from aquascene.drafting.content_types import digest, guide
from aquascene.drafting.content_types.base import ContentType

TYPES: dict[str, ContentType] = {
    "guide": guide.TYPE,
    "digest": digest.TYPE,
}
