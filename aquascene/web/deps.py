"""Who is asking: the principal behind a request, and what each route demands.

A route carries either `who: Editor` (or another role's alias) or `dependencies=[Depends(public)]`;
a policy test refuses a route with neither. Keys and tokens come as `Authorization: Bearer`, the desk uses a
signed cookie; a state change that is authenticated by the cookie needs the session's CSRF token as well.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, Literal, NoReturn
from urllib.parse import urlsplit
from uuid import UUID

import jwt
from fastapi import Depends, HTTPException, Request, Security
from fastapi.security import HTTPBearer

from aquascene.adapters import settings
from aquascene.adapters.clock import now
from aquascene.adapters.postgres import accounts
from aquascene.adapters.postgres.db import transaction
from aquascene.editorial import keys
from aquascene.editorial.keys import ApiKey
from aquascene.editorial.roles import Role, allows
from aquascene.errors import ConfigError

COOKIE = "aquascene_session"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
# Only for OpenAPI: it names the scheme and never refuses by itself.
_BEARER = HTTPBearer(auto_error=False, description="An API key (aq_…) or a token from /api/v1/auth/token.")
Kind = Literal["api", "desk"]


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who proved to hold a key: now (key), by a token made from it, or by a sign-in (session)."""

    account_id: UUID
    name: str
    role: Role
    via: Literal["key", "token", "session"]
    csrf: str = ""


def public() -> None:
    """Mark a route as open to everyone."""


def sign(key: ApiKey, kind: Kind, at: datetime, life: timedelta) -> str:
    """Make a signed token that stands for a key; it dies with the key."""
    claims = {"sub": key.prefix, "aud": f"aquascene-{kind}", "iat": at, "exp": at + life}
    return jwt.encode(claims, _secret(), algorithm="HS256")


def check_key(presented: str) -> ApiKey | None:
    """Find the usable key that was presented; None when it is unknown, revoked, expired or wrong."""
    parts = keys.split(presented)
    found = _usable(parts[0]) if parts else None
    return found if found and parts and keys.matches(found, parts[1]) else None


def csrf_token(session: str) -> str:
    """Derive the token that forms of a session carry."""
    return hmac.new(_secret().encode(), f"csrf:{session}".encode(), hashlib.sha256).hexdigest()


def same_origin(request: Request) -> bool:
    """Tell whether a browser sent this from our own pages; clients that are no browsers send neither header."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


async def sent_csrf(request: Request) -> str:
    """Read the CSRF token from the header or from the form field `csrf`."""
    header = request.headers.get("x-csrf-token")
    if header is not None or request.method in SAFE_METHODS:
        return header or ""
    if not request.headers.get("content-type", "").startswith(_FORMS):
        return ""
    return str((await request.form()).get("csrf") or "")


def principal(request: Request) -> Principal | None:
    """Find out who is asking; None for an anonymous request, 401 for a credential that is not good."""
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    if scheme:
        return _bearer(credential.strip()) if scheme.lower() == "bearer" else _refuse("this scheme is not known; send `Authorization: Bearer <API key>`")
    session = request.cookies.get(COOKIE)
    found = _of_token(session, "desk") if session else None
    return _principal(found, "session", csrf_token(session)) if found and session else None


@lru_cache(maxsize=8)
def require(role: str) -> Callable[..., Principal]:
    """Make the dependency that lets a role and those above it pass."""
    needed = Role(role)

    def check(request: Request, sent: Annotated[str, Depends(sent_csrf)], _: Annotated[Any, Security(_BEARER)]) -> Principal:
        who = principal(request)
        if who is None:
            _refuse("sign in, or send an API key as `Authorization: Bearer <API key>`")
        if not allows(who.role, needed):
            raise HTTPException(403, f"this needs the role {needed} or a higher one; {who.name} has {who.role}")
        if who.via == "session" and request.method not in SAFE_METHODS:
            _check_origin(request, who, sent)
        request.state.principal = who
        return who

    check.required_role = needed  # type: ignore[attr-defined]  # read by the policy test
    return check


Writer = Annotated[Principal, Depends(require("writer"))]
Editor = Annotated[Principal, Depends(require("editor"))]
Publisher = Annotated[Principal, Depends(require("publisher"))]
Operator = Annotated[Principal, Depends(require("operator"))]
Admin = Annotated[Principal, Depends(require("admin"))]


def required_role(call: Any) -> str | None:
    """Name the role that a dependency demands, `public`, or None for any other dependency."""
    if call is public:
        return "public"
    found = getattr(call, "required_role", None)
    return str(found) if found else None


def _check_origin(request: Request, who: Principal, sent: str) -> None:
    if not same_origin(request) or not hmac.compare_digest(sent.encode(), who.csrf.encode()):
        raise HTTPException(403, "the form is out of date or came from elsewhere; load the page again and repeat")


def _bearer(credential: str) -> Principal:
    if credential.startswith("aq_"):
        found = check_key(credential)
        return _principal(found, "key") if found else _refuse("the API key is unknown, revoked or expired")
    found = _of_token(credential, "api")
    return _principal(found, "token") if found else _refuse("the token is not valid or has expired")


def _of_token(token: str, kind: Kind) -> ApiKey | None:
    try:
        claims = jwt.decode(token, _secret(), algorithms=["HS256"], audience=f"aquascene-{kind}", options={"require": ["exp", "sub", "aud"]})
    except jwt.InvalidTokenError:
        return None
    return _usable(str(claims["sub"]))


def _usable(prefix: str) -> ApiKey | None:
    with transaction() as db:
        found = accounts.find(db, prefix)
    return found if found and found.usable(now()) else None


def _principal(key: ApiKey, via: Literal["key", "token", "session"], csrf: str = "") -> Principal:
    return Principal(key.account_id, key.name, key.role, via, csrf)


def _refuse(why: str) -> NoReturn:
    raise HTTPException(401, why, headers={"WWW-Authenticate": 'Bearer realm="aquascene"'})


def _secret() -> str:
    secret = settings.current().jwt_secret.get_secret_value()
    if len(secret.encode()) < 32:
        raise ConfigError("JWT_SECRET is missing or shorter than 32 bytes; set it, for example to the output of `openssl rand -hex 32`")
    return secret
