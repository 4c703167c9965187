"""Slugs: the part of an article's address that never changes once it is public."""

from collections.abc import Container
from itertools import count

from aquascene.drafting.text import slugify

LONGEST = 80


def free_slug(wanted: str, taken: Container[str]) -> str:
    """Make a slug that nobody has yet: the wanted one, or the first of `-2`, `-3`, ... that is free."""
    slug = slugify(wanted, LONGEST)
    return next(name for name in (slug if n == 1 else f"{slug}-{n}" for n in count(1)) if name not in taken)
