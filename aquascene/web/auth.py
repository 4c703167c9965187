"""Signing in: a key becomes a short-lived token for programs, or a cookie for the desk."""

from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from aquascene.adapters import settings
from aquascene.adapters.clock import now
from aquascene.web.deps import COOKIE, Writer, check_key, public, same_origin, sign
from aquascene.web.pages import render

TOKEN_LIFE = timedelta(minutes=15)

router = APIRouter()


class TokenRequest(BaseModel):
    """A key to trade for a token."""

    model_config = ConfigDict(extra="forbid")

    api_key: str = Field(max_length=300, description="The key in full: aq_<prefix>_<secret>.")


class Token(BaseModel):
    """A token, to be sent as `Authorization: Bearer`."""

    access_token: str
    token_type: str = "bearer"  # noqa: S105 - the name of a scheme
    expires_in: int = Field(description="Seconds until the token is no longer taken.")
    role: str


@router.post("/api/v1/auth/token", dependencies=[Depends(public)], tags=["auth"], responses={401: {"description": "The key is not good."}})
def make_token(body: TokenRequest) -> Token:
    """Trade an API key for a token that lives a quarter of an hour; revoking the key ends the token."""
    key = check_key(body.api_key)
    if key is None:
        raise HTTPException(401, "the API key is unknown, revoked or expired")
    return Token(access_token=sign(key, "api", now(), TOKEN_LIFE), expires_in=int(TOKEN_LIFE.total_seconds()), role=key.role)


@router.get("/desk/sign-in", include_in_schema=False, dependencies=[Depends(public)])
def sign_in_page(request: Request, next: str = "/desk") -> Response:
    """Show the sign-in form."""
    return render(request, "sign_in.html", next=_local(next), wrong=False)


@router.post("/desk/sign-in", include_in_schema=False, dependencies=[Depends(public)])
def sign_in(request: Request, api_key: Annotated[str, Form(max_length=300)], next: Annotated[str, Form(max_length=300)] = "/desk") -> Response:
    """Sign in with an API key; the session dies with the key."""
    if not same_origin(request):
        raise HTTPException(403, "sign in from our own page")
    key = check_key(api_key.strip())
    if key is None:
        return render(request, "sign_in.html", status=401, next=_local(next), wrong=True)
    options = settings.current().web
    life = timedelta(hours=options.session_hours)
    answer = RedirectResponse(_local(next), 303)
    secure = urlsplit(options.public_url).scheme == "https"
    answer.set_cookie(COOKIE, sign(key, "desk", now(), life), max_age=int(life.total_seconds()), httponly=True, samesite="lax", secure=secure)
    return answer


@router.post("/desk/sign-out", include_in_schema=False)
def sign_out(who: Writer) -> Response:
    """Forget the session in this browser."""
    answer = RedirectResponse("/desk/sign-in", 303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="lax")
    return answer


def _local(target: str) -> str:
    """Keep redirects after sign-in on the desk."""
    return target if target.startswith(("/desk", "/dashboard")) and "\\" not in target and "//" not in target else "/desk"
