"""What drafting asks of the outside world: a writer that completes a request by a schema."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, Protocol

from pydantic import BaseModel

from aquascene.errors import PermanentError, TransientError


class Stop(StrEnum):
    """How a completion ended; all are answers, none is an error."""

    DONE = "completed"
    REFUSED = "refused"
    TRUNCATED = "truncated"
    INVALID = "invalid"


@dataclass(frozen=True)
class Turn:
    """One message of the conversation."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True)
class WriterRequest:
    """What the model is given; it has no tools and sees no secret."""

    system: str
    turns: tuple[Turn, ...]


@dataclass(frozen=True)
class CallLimits:
    """How long an answer may get and how long it may take."""

    max_output_tokens: int
    timeout_seconds: float


@dataclass(frozen=True)
class Usage:
    """What a call used, in tokens, as the provider counted."""

    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True)
class Completion:
    """One answer. `model` is what the endpoint says it ran; `parsed` is None unless `stop` is DONE."""

    parsed: BaseModel | None
    raw: Mapping[str, Any]
    usage: Usage
    stop: Stop
    text: str
    provider: str
    model: str


class WriterBusy(TransientError):
    """The provider asks for a pause (429, 5xx, time-out). After a time-out the answer may be billed all the same."""

    code = "writer-busy"

    def __init__(self, message: str, retry_after_seconds: float | None = None, *, maybe_billed: bool = False) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
        self.maybe_billed = maybe_billed


class WriterRefusedCall(PermanentError):
    """The provider will not take this call: wrong key, unknown model, malformed request."""

    code = "writer-refused"


class BudgetExhausted(PermanentError):
    """The next call might pass the budget of the day or the run, so it was not made."""

    code = "budget-exhausted"


class SandboxRefused(PermanentError):
    """The endpoint is a sandbox and this environment wants real models."""

    code = "sandbox-not-allowed"


class Writer(Protocol):
    """A provider of language models."""

    name: str

    def complete(self, request: WriterRequest, schema: type[BaseModel], model: str, limits: CallLimits) -> Completion:
        """Ask once, without retries of its own; raise WriterBusy or WriterRefusedCall, return anything else."""
        ...


@dataclass(frozen=True)
class Answered:
    """A completion with what it cost and the row that records it."""

    completion: Completion
    cost_usd: float
    call_id: str
    reused: bool


Ask = Callable[[WriterRequest, type[BaseModel], str], Answered]
"""Ask for a completion for a purpose (draft, revise): budget, cache, record and fallback are behind it."""
