"""URLs as this product writes them: one spelling per page, no tracking, no credentials."""

import re
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

from aquascene.sources.model import Source

_TRACKING = re.compile(r"^(utm_\w+|fbclid|gclid|dclid|msclkid|mc_cid|mc_eid|igshid|yclid|_hsenc|_hsmi|ref_src)$", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x20\x7f\\]")
_PORTS = {"http": 80, "https": 443}
_LONGEST = 2000


def normalise(url: str, base: str | None = None) -> str | None:
    """Write a URL in the one way that rows are keyed by; None for what we never ask for (other schemes, credentials, control characters)."""
    if _CONTROL.search(url.strip()) or len(url) > _LONGEST:
        return None
    try:
        return _written(urlsplit(urljoin(base, url.strip()) if base else url.strip()))
    except ValueError:  # also what cannot be encoded
        return None


def _written(parts: SplitResult) -> str | None:
    authority = _authority(parts)
    if authority is None:
        return None
    path = quote(_without_dots(parts.path or "/"), safe="/%:@!$&'()*+,;=~-._")
    return urlunsplit((parts.scheme.lower(), authority, path, _query(parts.query), ""))


def host_of(url: str) -> str:
    """Name host and port as they are dialled: the key of the politeness row."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or _PORTS.get(parts.scheme, 0)}"


def origin_of(url: str) -> str:
    """Scheme and authority of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def same_site(one: str, other: str) -> bool:
    """Tell whether two URLs share their authority, or their host but for scheme and a leading www."""
    first, second = urlsplit(one), urlsplit(other)
    ports_are_usual = {first.port, second.port} <= {None, 80, 443}
    return first.netloc == second.netloc or (ports_are_usual and _bare_host(first) == _bare_host(second))


def _bare_host(parts: SplitResult) -> str:
    return (parts.hostname or "").removeprefix("www.")


def in_scope(url: str, allow: tuple[str, ...], deny: tuple[str, ...]) -> bool:
    """Tell whether a source covers a URL: it starts with one of `allow` and with none of `deny`."""
    return any(_under(url, prefix) for prefix in allow) and not any(_under(url, prefix) for prefix in deny)


def select(source: Source, found: list[str], limit: int) -> list[str]:
    """Choose what to read of what was found: in scope, each once, no more than the limit."""
    chosen = dict.fromkeys(url for url in found if in_scope(url, source.allow, source.deny))
    return list(chosen)[: min(limit, source.max_pages or limit)]


def _under(url: str, prefix: str) -> bool:
    # http://a.example must not cover http://a.example.evil.test: a bare origin is compared with its slash.
    whole = prefix if urlsplit(prefix).path else f"{prefix}/"
    return url.startswith(whole)


def _authority(parts: SplitResult) -> str | None:
    scheme = parts.scheme.lower()
    if scheme not in _PORTS or not parts.hostname or parts.username is not None or parts.password is not None:
        return None
    host = parts.hostname.rstrip(".")
    if not host.isascii():
        host = host.encode("idna").decode("ascii")  # UnicodeError is a ValueError
    host = f"[{host}]" if ":" in host else host
    return host if parts.port in (None, _PORTS[scheme]) else f"{host}:{parts.port}"


def _without_dots(path: str) -> str:
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            if len(kept) > 1:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    if path.endswith(("/.", "/..")):
        kept.append("")
    return "/".join(kept) or "/"


def _query(query: str) -> str:
    if not any(_TRACKING.match(part.partition("=")[0]) for part in query.split("&")):
        return quote(query, safe="/%:@!$&'()*+,;=~-._?")
    return urlencode([(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if not _TRACKING.match(name)])
