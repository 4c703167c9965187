"""Language models that cost nothing: OpenAI's and Anthropic's wire protocols over the extractive writer.

Faults come by the end of the model's name: !429 (once, with Retry-After) !500 (twice) !down (always 503) !400 !slow !refusal !length !badjson,
and for checks of the caller: !invent (an invented quote) !number (a changed number), both only in the first answer of a conversation.
The model field of every answer says `sandbox-extractive`. A key is wanted, as with the real services; one that starts with `wrong` is refused.
"""

import json
import re
import threading
import time
from collections import Counter
from typing import Any

from fastapi import APIRouter, Body, Request
from fastapi.responses import JSONResponse

from aquascene.sandbox import extractive

MODEL = "sandbox-extractive"
SLOW_SECONDS = 5.0
openai_router = APIRouter()
anthropic_router = APIRouter()
_failures: Counter[str] = Counter()
_lock = threading.Lock()
_Body = Body()


# --- OpenAI --------------------------------------------------------------------------------------


@openai_router.get("/v1/models")
def openai_models(request: Request) -> JSONResponse:
    """List the one model."""
    if not _authorised(request):
        return _openai_error(401, "invalid_api_key")
    return JSONResponse({"object": "list", "data": [{"id": MODEL, "object": "model", "created": 1, "owned_by": "sandbox"}]})


@openai_router.post("/v1/chat/completions")
def chat_completions(request: Request, body: dict[str, Any] = _Body) -> JSONResponse:
    """Complete a chat; JSON schemas are filled, other requests get plain sentences."""
    refused = _openai_refusal(request, body)
    if refused:
        return refused
    form = body.get("response_format") or {}
    schema = form.get("json_schema", {}).get("schema") if form.get("type") == "json_schema" else None
    text, refusal, ended = _complete(str(body["model"]), _users(body.get("messages", [])), schema)
    choice: dict[str, Any] = {
        "index": 0,
        "finish_reason": {"length": "length"}.get(ended, "stop"),
        "logprobs": None,
        "message": {"role": "assistant", "content": text, "refusal": refusal, "annotations": []},
    }
    return JSONResponse(
        {
            "id": f"chatcmpl-{extractive.fingerprint(body)[:24]}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": MODEL,
            "choices": [choice],
            "usage": _openai_usage(body, text or refusal or ""),
            "service_tier": "default",
            "system_fingerprint": "sandbox",
        }
    )


@openai_router.post("/v1/responses")
def responses(request: Request, body: dict[str, Any] = _Body) -> JSONResponse:
    """Answer by the Responses API."""
    refused = _openai_refusal(request, body)
    if refused:
        return refused
    form = (body.get("text") or {}).get("format") or {}
    given = body.get("input", "")
    users = [given] if isinstance(given, str) else _users(given)
    text, refusal, ended = _complete(str(body["model"]), users, form.get("schema") if form.get("type") == "json_schema" else None)
    content: dict[str, Any] = {"type": "refusal", "refusal": refusal} if refusal else {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return JSONResponse(_response(body, content, ended, text or refusal or ""))


def _response(body: dict[str, Any], content: dict[str, Any], ended: str, text: str) -> dict[str, Any]:
    cut = ended == "length"
    name, used = extractive.fingerprint(body)[:24], _openai_usage(body, text)
    return {
        "id": f"resp_{name}",
        "object": "response",
        "created_at": time.time(),
        "status": "incomplete" if cut else "completed",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "instructions": None,
        "metadata": {},
        "model": MODEL,
        "output": [{"id": f"msg_{name}", "type": "message", "role": "assistant", "status": "incomplete" if cut else "completed", "content": [content]}],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": {
            "input_tokens": used["prompt_tokens"],
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": used["completion_tokens"],
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": used["total_tokens"],
        },
    }


def _openai_refusal(request: Request, body: dict[str, Any]) -> JSONResponse | None:
    if not _authorised(request):
        return _openai_error(401, "invalid_api_key")
    if not body.get("model") or not (body.get("messages") or body.get("input")):
        return _openai_error(400, "missing_required_parameter")
    if body.get("stream"):
        return _openai_error(400, "unsupported_value", "the sandbox does not stream")
    status, headers = _fault(body)
    codes = {429: "rate_limit_exceeded", 500: "server_error", 503: "server_error", 400: "invalid_value"}
    return _openai_error(status, codes[status], headers=headers) if status else None


def _openai_error(status: int, code: str, message: str = "", headers: dict[str, str] | None = None) -> JSONResponse:
    kind = {401: "invalid_request_error", 400: "invalid_request_error", 429: "requests"}.get(status, "server_error")
    error = {"message": message or f"The sandbox answers {status} ({code}).", "type": kind, "param": None, "code": code}
    return JSONResponse({"error": error}, status_code=status, headers=headers)


def _openai_usage(body: dict[str, Any], text: str) -> dict[str, Any]:
    given, made = _tokens(json.dumps(body.get("messages") or body.get("input"))), _tokens(text)
    return {
        "prompt_tokens": given,
        "completion_tokens": made,
        "total_tokens": given + made,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
    }


# --- Anthropic -----------------------------------------------------------------------------------


@anthropic_router.post("/v1/messages")
def messages(request: Request, body: dict[str, Any] = _Body) -> JSONResponse:
    """Answer by the Messages API."""
    refused = _anthropic_refusal(request, body)
    if refused:
        return refused
    form = (body.get("output_config") or {}).get("format") or {}
    users = _users(body.get("messages", []))
    text, refusal, ended = _complete(str(body["model"]), users, form.get("schema") if form.get("type") == "json_schema" else None)
    stop = "refusal" if refusal else {"length": "max_tokens"}.get(ended, "end_turn")
    return JSONResponse(
        {
            "id": f"msg_{extractive.fingerprint(body)[:24]}",
            "type": "message",
            "role": "assistant",
            "model": MODEL,
            "content": [] if refusal else [{"type": "text", "text": text, "citations": None}],
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": _anthropic_usage(body, text or ""),
        }
    )


@anthropic_router.post("/v1/messages/count_tokens")
def count_tokens(request: Request, body: dict[str, Any] = _Body) -> JSONResponse:
    """Count tokens the way the sandbox counts them."""
    if not _authorised(request):
        return _anthropic_error(401)
    return JSONResponse({"input_tokens": _anthropic_usage(body, "")["input_tokens"]})


def _anthropic_usage(body: dict[str, Any], text: str) -> dict[str, Any]:
    return {
        "input_tokens": _tokens(json.dumps([body.get("system"), body.get("messages")])),
        "output_tokens": _tokens(text),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "service_tier": "standard",
    }


def _anthropic_refusal(request: Request, body: dict[str, Any]) -> JSONResponse | None:
    if not _authorised(request):
        return _anthropic_error(401)
    if not request.headers.get("anthropic-version"):
        return _anthropic_error(400, "anthropic-version: header is required")
    if not body.get("model") or not body.get("messages") or not body.get("max_tokens"):
        return _anthropic_error(400, "model, messages and max_tokens are required")
    if body.get("stream"):
        return _anthropic_error(400, "the sandbox does not stream")
    status, headers = _fault(body)
    return _anthropic_error(status, headers=headers) if status else None


def _anthropic_error(status: int, message: str = "", headers: dict[str, str] | None = None) -> JSONResponse:
    kinds = {400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error", 503: "overloaded_error"}
    error = {"type": kinds.get(status, "api_error"), "message": message or f"The sandbox answers {status}."}
    return JSONResponse({"type": "error", "error": error, "request_id": None}, status_code=status, headers=headers)


# --- both ----------------------------------------------------------------------------------------


def _authorised(request: Request) -> bool:
    """Want a key as a bearer token or in x-api-key."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    key = token.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key", "").strip()
    return bool(key) and not key.startswith("wrong")


def _users(listed: list[dict[str, Any]]) -> list[str]:
    return [_text(message.get("content", "")) for message in listed if message.get("role") == "user"]


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))


def _tokens(text: str) -> int:
    return len(text) // 4 + 1


def _suffix(model: str) -> str:
    return model.partition("!")[2]


def _fault(body: dict[str, Any]) -> tuple[int, dict[str, str]]:
    """Choose the HTTP fault that the model's name asks for; the counted ones pass after one or two answers to the same request."""
    suffix = _suffix(str(body["model"]))
    if suffix == "slow":
        time.sleep(SLOW_SECONDS)
    if suffix in {"400", "down"}:
        return {"400": 400, "down": 503}[suffix], {"retry-after": "0"}
    times = {"429": 1, "500": 2}.get(suffix, 0)
    key = extractive.fingerprint(body)
    with _lock:
        _failures[key] += 1
        if _failures[key] <= times:
            return int(suffix), {"retry-after": "0.3"} if suffix == "429" else {"retry-after": "0"}
        _failures.pop(key)
    return 0, {}


def _complete(model: str, users: list[str], schema: dict[str, Any] | None) -> tuple[str | None, str | None, str]:
    """Make text, refusal and end of an answer."""
    suffix = _suffix(model)
    if suffix == "refusal":
        return None, "The sandbox refuses, as it was asked to.", "stop"
    if schema is None:
        return extractive.plain(users), None, "stop"
    filled = extractive.answer(users, schema)
    text = json.dumps(_spoilt(filled, suffix) if len(users) == 1 else filled, ensure_ascii=False)
    if suffix == "length":
        return text[: len(text) // 2], None, "length"
    return (text[:-1] + ",,", None, "stop") if suffix == "badjson" else (text, None, "stop")


def _spoilt(filled: dict[str, Any], suffix: str) -> dict[str, Any]:
    """Put one error into an answer, as a careless model would."""
    lead = filled.get("lead")
    if isinstance(lead, dict) and suffix == "invent":
        lead |= {"text": "Every tank needs golden gravel from the moon.", "quote": "Every tank needs golden gravel from the moon."}
    if suffix == "number":
        for section in filled.values():
            for statement in section if isinstance(section, list) else []:
                statement["text"] = re.sub(r"\d+", lambda match: str(int(match.group()) + 7), statement["text"])
    return filled
