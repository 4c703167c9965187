"""Every error answer is a problem document (RFC 9457); pages for people get the same as HTML."""

import logging
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from aquascene import errors

log = logging.getLogger(__name__)

_PAGES = ("/desk", "/dashboard")
_STATUS = (  # the first branch that fits
    (errors.NotFound, 404),
    (errors.Conflict, 409),
    (errors.ConfigError, 500),
    (errors.PermanentError, 400),
    (errors.TransientError, 503),
)


def status_of(error: errors.AquasceneError) -> int:
    """Choose the status for a branch of the error tree."""
    return next((status for branch, status in _STATUS if isinstance(error, branch)), 500)


def problem(request: Request, status: int, detail: str, code: str | None = None, headers: dict[str, str] | None = None, **members: Any) -> Response:
    """Build the answer for an error: HTML where a person looks at a page, a problem document elsewhere."""
    title = HTTPStatus(status).phrase
    body = {
        "type": f"urn:aquascene:problem:{code or title.lower().replace(' ', '-')}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        "request_id": getattr(request.state, "request_id", None),
        **members,
    }
    if _wants_page(request):
        from aquascene.web.pages import render

        return render(request, "problem.html", status=status, headers=headers, problem=body)
    return JSONResponse(body, status, headers=headers, media_type="application/problem+json")


def _wants_page(request: Request) -> bool:
    return request.url.path.startswith(_PAGES) and "text/html" in request.headers.get("accept", "")


def _of_aquascene(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.AquasceneError)
    status = status_of(error)
    if status == 500:
        log.error("request_failed code=%s path=%s", error.code, request.url.path, exc_info=error)
    detail = str(error) if status != 500 or request.app.state.debug else "something is wrong on our side; the log knows more under this request_id"
    return problem(request, status, detail, error.code, {"Retry-After": "5"} if status == 503 else None)


def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 401 and request.method == "GET" and _wants_page(request):
        return RedirectResponse(f"/desk/sign-in?next={quote(request.url.path)}", 303)
    return problem(request, error.status_code, str(error.detail), headers=dict(error.headers or {}))


def _of_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    wrong = [{"pointer": "/" + "/".join(str(part) for part in item["loc"]), "detail": item["msg"]} for item in error.errors()]
    return problem(request, 422, "the request does not have the form that this route expects", "validation", errors=wrong)


def _of_bug(request: Request, error: Exception) -> Response:
    log.error("request_failed code=bug path=%s", request.url.path, exc_info=error)
    return problem(request, 500, repr(error) if request.app.state.debug else "something is wrong on our side; the log knows more under this request_id", "bug")


def install(app: FastAPI, debug: bool) -> None:
    """Register the handlers with an application; `debug` shows internals in answers of status 500."""
    app.state.debug = debug
    app.add_exception_handler(errors.AquasceneError, _of_aquascene)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(Exception, _of_bug)
