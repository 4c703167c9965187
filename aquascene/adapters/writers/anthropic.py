"""Anthropic's Messages API with structured output.

The SDK's own retries are off: it sleeps whatever Retry-After says (up to 49 days), and one place decides about retries.
`create` with `output_config` is used instead of `parse`, because `parse` raises a validation error when an answer is cut off.
Its 2.x knows no temperature.
"""

from typing import Any

from pydantic import BaseModel, SecretStr

from aquascene.adapters.writers.parsing import PASSING, completion, retry_after
from aquascene.drafting.ports import CallLimits, Completion, Stop, Usage, WriterBusy, WriterRefusedCall, WriterRequest
from aquascene.drafting.schema import strict_schema

PUBLIC_URL = "https://api.anthropic.com"
_THINKERS = ("claude-sonnet-5", "claude-opus-5", "claude-fable-5")  # they think unless told otherwise, and thinking is paid as output
_STOPS = {
    "end_turn": Stop.DONE,
    "stop_sequence": Stop.DONE,
    "max_tokens": Stop.TRUNCATED,
    "refusal": Stop.REFUSED,
    "model_context_window_exceeded": Stop.TRUNCATED,
}


class AnthropicWriter:
    """The writer port on the Messages API."""

    name = "anthropic"

    def __init__(self, api_key: SecretStr, base_url: str | None = None, timeout_seconds: float | None = None) -> None:
        self._key = api_key
        self._url = base_url or PUBLIC_URL
        self._patience = timeout_seconds
        self._client: Any = None

    def _open(self) -> Any:
        if self._client is None:
            from anthropic import Anthropic  # 1.3 s to import: only who calls pays

            self._client = Anthropic(api_key=self._key.get_secret_value(), base_url=self._url, max_retries=0)
        return self._client

    def complete(self, request: WriterRequest, schema: type[BaseModel], model: str, limits: CallLimits) -> Completion:
        """Ask once; see the port."""
        import anthropic

        seconds = min(limits.timeout_seconds, self._patience or limits.timeout_seconds)
        try:
            answer = self._open().messages.create(**_arguments(request, schema, model, limits, seconds))
        except anthropic.APITimeoutError as exc:
            raise WriterBusy(f"anthropic did not answer within {seconds:g} s", maybe_billed=True) from exc
        except anthropic.APIConnectionError as exc:
            raise WriterBusy(f"anthropic cannot be reached at {self._url}") from exc
        except anthropic.APIStatusError as exc:
            raise _translate(exc.status_code, exc.response.headers) from exc
        except anthropic.AnthropicError as exc:
            raise WriterRefusedCall(f"anthropic: {type(exc).__name__}") from exc
        return _read(answer, schema)


def _arguments(request: WriterRequest, schema: type[BaseModel], model: str, limits: CallLimits, seconds: float) -> dict[str, Any]:
    effort = {"effort": "low"} if model.startswith(_THINKERS) else {}
    return {
        "model": model,
        "system": request.system,
        "messages": [{"role": turn.role, "content": turn.text} for turn in request.turns],
        "max_tokens": limits.max_output_tokens,
        "output_config": {"format": {"type": "json_schema", "schema": strict_schema(schema)}, **effort},
        "timeout": seconds,
    }


def _translate(status: int, headers: Any) -> WriterBusy | WriterRefusedCall:
    """Sort an HTTP error; the provider's message stays out, it may hold parts of the prompt."""
    if status in PASSING:
        return WriterBusy(f"anthropic answered {status}", retry_after(headers))
    return WriterRefusedCall(f"anthropic answered {status}")


def _read(answer: Any, schema: type[BaseModel]) -> Completion:
    if not hasattr(answer, "stop_reason"):
        raise WriterBusy("anthropic: the endpoint answered something that is no message")
    text = "".join(block.text for block in answer.content if block.type == "text")
    stop = _STOPS.get(answer.stop_reason or "", Stop.INVALID)
    usage = Usage(_input_tokens(answer.usage), answer.usage.output_tokens)
    return completion(schema, text, stop, usage, "anthropic", answer.model, answer.model_dump(mode="json"))


def _input_tokens(usage: Any) -> int:
    """Count cached tokens in full: a little too much, never too little but for cache writes, which we do not ask for."""
    return int(usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0))
