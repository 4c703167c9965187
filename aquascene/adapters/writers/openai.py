"""OpenAI, and any endpoint that speaks its chat completions API (Ollama, vLLM, gateways).

The SDK's own retries are off: one place decides about retries (adapters.writers.paid), and a call that is repeated unseen is not priced.
`create` with a JSON schema is used instead of `parse`, because `parse` throws the usage away when an answer is cut off.
"""

from typing import Any

from pydantic import BaseModel, SecretStr

from aquascene.adapters.writers.parsing import PASSING, completion, retry_after
from aquascene.drafting.ports import CallLimits, Completion, Stop, Usage, WriterBusy, WriterRefusedCall, WriterRequest
from aquascene.drafting.schema import strict_schema

PUBLIC_URL = "https://api.openai.com/v1"
_STOPS = {"stop": Stop.DONE, "length": Stop.TRUNCATED, "content_filter": Stop.REFUSED}


class OpenAIWriter:
    """The writer port on chat completions."""

    name = "openai"

    def __init__(self, api_key: SecretStr, base_url: str | None = None, timeout_seconds: float | None = None) -> None:
        self._key = api_key
        self._url = base_url or PUBLIC_URL
        self._patience = timeout_seconds
        self._client: Any = None

    def _open(self) -> Any:
        if self._client is None:
            from openai import OpenAI  # 0.6 s to import: only who calls pays

            self._client = OpenAI(api_key=self._key.get_secret_value(), base_url=self._url, max_retries=0)
        return self._client

    def complete(self, request: WriterRequest, schema: type[BaseModel], model: str, limits: CallLimits) -> Completion:
        """Ask once; see the port."""
        import openai

        seconds = min(limits.timeout_seconds, self._patience or limits.timeout_seconds)
        try:
            answer = self._open().chat.completions.create(**_arguments(request, schema, model, limits, seconds))
        except openai.APITimeoutError as exc:
            raise WriterBusy(f"openai did not answer within {seconds:g} s", maybe_billed=True) from exc
        except openai.APIConnectionError as exc:
            raise WriterBusy(f"openai cannot be reached at {self._url}") from exc
        except openai.APIStatusError as exc:
            raise _translate(exc.status_code, exc.code, exc.response.headers) from exc
        except openai.OpenAIError as exc:
            raise WriterRefusedCall(f"openai: {type(exc).__name__}") from exc
        return _read(answer, schema)


def _arguments(request: WriterRequest, schema: type[BaseModel], model: str, limits: CallLimits, seconds: float) -> dict[str, Any]:
    messages = [{"role": "system", "content": request.system}, *({"role": turn.role, "content": turn.text} for turn in request.turns)]
    reasoning = {"reasoning_effort": "low"} if model.startswith(("gpt-5", "o3", "o4")) else {}
    return {
        "model": model,
        "messages": messages,
        "max_completion_tokens": limits.max_output_tokens,
        "response_format": {"type": "json_schema", "json_schema": {"name": schema.__name__, "strict": True, "schema": strict_schema(schema)}},
        "timeout": seconds,
        **reasoning,
    }


def _translate(status: int, code: str | None, headers: Any) -> WriterBusy | WriterRefusedCall:
    """Sort an HTTP error; the provider's message stays out, it may hold parts of the key or of the prompt."""
    what = f"openai answered {status}" + (f" ({code})" if code else "")
    if status in PASSING and code != "insufficient_quota":
        return WriterBusy(what, retry_after(headers))
    return WriterRefusedCall(what)


def _read(answer: Any, schema: type[BaseModel]) -> Completion:
    choices = getattr(answer, "choices", None)
    if not choices:
        raise WriterBusy("openai: the endpoint answered something that is no completion")
    message, usage = choices[0].message, answer.usage
    stop = Stop.REFUSED if message.refusal else _STOPS.get(choices[0].finish_reason, Stop.INVALID)
    used = Usage(usage.prompt_tokens, usage.completion_tokens) if usage else Usage()
    return completion(schema, message.content or message.refusal or "", stop, used, "openai", answer.model, answer.model_dump(mode="json"))
