"""What the settings' URLs say about where they lead. Pure, never raising: a URL nobody can read leads nowhere."""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

_PRIVATE_NAMES = ("localhost", "local", "internal", "svc", "lan", "home", "intranet", "corp")
_EXAMPLES = ("example", "test", "invalid", "localhost", "example.com", "example.net", "example.org")
_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


def scheme_of(url: str) -> str:
    """The scheme in lower case; nothing where there is none."""
    scheme, separator, _ = url.strip().partition("://")
    return scheme.lower() if separator else ""


def host_of(url: str) -> str:
    """The host name in lower case; nothing where there is none or the URL cannot be read."""
    try:
        return (urlsplit(url.strip()).hostname or "").rstrip(".")
    except ValueError:
        return ""


def is_readable(url: str) -> bool:
    """Tell whether a URL can be taken apart. Those who cannot often quote it in their error, password and all."""
    try:
        return urlsplit(url.strip()).port != -1
    except ValueError:
        return False


def is_inside(host: str) -> bool:
    """Tell whether a host is this machine or a private network, as far as its name says; no host counts as inside."""
    try:
        return not ip_address(host).is_global
    except ValueError:
        labels = host.split(".")
    # Resolvers read 127.1, 2130706433 and 0x7f.1 as addresses, too.
    looks_numeric = re.fullmatch(r"\d+|0x[0-9a-f]*", labels[-1]) is not None
    return len(labels) == 1 or looks_numeric or labels[-1] in _PRIVATE_NAMES


def is_example(host: str) -> bool:
    """Tell whether a host name is one that RFC 2606 keeps for examples."""
    name = host.lower().rstrip(".")
    return any(name == reserved or name.endswith(f".{reserved}") for reserved in _EXAMPLES)


def tcp_mode(url: str, default: str) -> str | None:
    """The TLS mode of a connection: that of the URL where it names one, else the default; None for a Unix socket, which is no TCP.

    Read with SQLAlchemy's own parser, as the engine does, so that both see the same in a URL that is written oddly.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return "unreadable"
    hosts = parsed.query.get("host", parsed.host or "")
    mode = parsed.query.get("sslmode", None if "hostaddr" in parsed.query else default)
    if "hostaddr" not in parsed.query and all(not host or host.startswith("/") for host in _each(hosts)):
        return None
    return mode if isinstance(mode, str) and mode in _MODES else "unknown"


def _each(hosts: str | tuple[str, ...]) -> list[str]:
    return [host for listed in ([hosts] if isinstance(hosts, str) else hosts) for host in listed.split(",")]
