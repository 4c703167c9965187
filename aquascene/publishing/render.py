"""Templates to bytes: one environment, autoescape everywhere, nothing read but its arguments."""

import json
from datetime import datetime
from functools import lru_cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from aquascene.drafting.content_types import TYPES
from aquascene.drafting.text import slugify
from aquascene.publishing.manifest import sha256_hex
from aquascene.publishing.markdown import clean_text, plain, safe_link
from aquascene.publishing.model import Article, Site
from aquascene.publishing.provenance import stamp
from aquascene.publishing.references import article_text

_FOLDER = files("aquascene.publishing") / "templates"
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")


@lru_cache(maxsize=8)
def _environment(time_zone: str) -> Environment:
    templates = {item.name: item.read_text(encoding="utf-8") for item in _FOLDER.iterdir() if item.name.endswith(".html")}
    env = Environment(loader=DictLoader(templates), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    zone = ZoneInfo(time_zone)
    env.filters |= {
        "clean": lambda text: clean_text(text or ""),
        "day": lambda moment: day(moment, zone),
        "iso": stamp,
        "link": safe_link,
        "host": lambda url: urlsplit(safe_link(url) or "").hostname or "",
        "summary": summary_of,
        "type_name": type_name,
        "type_path": type_path,
    }
    return env


@lru_cache(maxsize=1)
def stylesheet() -> bytes:
    """The one style sheet."""
    return (_FOLDER / "style.css").read_bytes()


@lru_cache(maxsize=1)
def stylesheet_path() -> str:
    """The style sheet's path, which changes with its content and so may be cached for good."""
    return f"/assets/style.{sha256_hex(stylesheet())[:12]}.css"


@lru_cache(maxsize=1)
def favicon() -> bytes:
    """The icon."""
    return (_FOLDER / "favicon.svg").read_bytes()


def page(template: str, site: Site, here: str, **values: Any) -> bytes:
    """Render one template; `here` is the path of the page."""
    nav = values.pop("nav", ())
    rendered = _environment(site.time_zone).get_template(template).render(site=site, here=here, nav=nav, stylesheet=stylesheet_path(), **values)
    return rendered.encode("utf-8", "replace")


def day(moment: datetime, zone: ZoneInfo) -> str:
    """Write a date for readers, in the publication's time zone."""
    local = moment.astimezone(zone)
    return f"{local.day} {_MONTHS[local.month - 1]} {local.year}"


def month(moment: datetime, time_zone: str) -> str:
    """Write the month of a time for readers."""
    local = moment.astimezone(ZoneInfo(time_zone))
    return f"{_MONTHS[local.month - 1]} {local.year}"


def type_name(content_type: str) -> str:
    """Name a content type for readers."""
    return TYPES[content_type].name if content_type in TYPES else content_type.replace("_", " ").replace("-", " ").capitalize()


def type_path(content_type: str) -> str:
    """The path of the page that lists a content type."""
    return f"/types/{slugify(content_type)}/"


def summary_of(article: Article) -> str:
    """One line about an article: its summary, or how it begins."""
    return plain(article.summary) or plain(article_text(article.body_markdown), 200)


def minutes(text: str) -> int:
    """How long reading takes, at 220 words in a minute."""
    return max(1, round(len(text.split()) / 220))


def json_for_html(value: Any) -> Markup:
    """Write JSON that may stand inside a script element: no character in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 — nothing in it is markup any more
