"""Asking for money: budget before the call, record and price after it, the stored answer instead of a second call, another provider instead of a dead one."""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from aquascene.adapters.clock import now
from aquascene.adapters.postgres import drafting as store
from aquascene.adapters.postgres.db import transaction
from aquascene.adapters.writers.parsing import completion
from aquascene.drafting.ports import (
    Answered,
    BudgetExhausted,
    CallLimits,
    Completion,
    SandboxRefused,
    Stop,
    Usage,
    Writer,
    WriterBusy,
    WriterRefusedCall,
    WriterRequest,
)
from aquascene.drafting.prices import PriceList, upper_bound
from aquascene.drafting.schema import strict_schema

log = logging.getLogger(__name__)

TRIES = 3
LONGEST_PAUSE_SECONDS = 20.0


@dataclass(frozen=True)
class Terms:
    """On which terms models may be called."""

    models: Mapping[str, str]
    prices: PriceList
    budget: store.Budget
    limits: CallLimits
    allow_sandbox: bool


@dataclass
class PaidWriters:
    """The port `ask` of composing, for one brief of one run. `writers` come in the order of preference."""

    writers: Sequence[Writer]
    terms: Terms
    brief_id: UUID | None
    run_id: UUID
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], datetime] = now
    _down: set[str] = field(default_factory=set)

    def ask(self, request: WriterRequest, schema: type[BaseModel], purpose: str) -> Answered:
        """Return a stored answer to this very request, else buy one from the first provider that gives one."""
        stored = next((found for writer in self.writers if (found := self._stored(writer, request, schema))), None)
        if stored is not None:
            return self._allowed(stored)
        failure: WriterBusy | WriterRefusedCall = WriterRefusedCall("no provider of language models is configured; set OPENAI_API_KEY or ANTHROPIC_API_KEY")
        for writer in (writer for writer in self.writers if writer.name not in self._down):
            try:
                return self._allowed(self._buy(writer, request, schema, purpose))
            except (WriterBusy, WriterRefusedCall) as exc:
                log.warning("writer_failed provider=%s brief_id=%s code=%s reason=%s", writer.name, self.brief_id, exc.code, exc)
                self._down.add(writer.name)
                failure = exc
        self._down.clear()
        raise failure

    def _allowed(self, answered: Answered) -> Answered:
        if answered.completion.model.startswith("sandbox-") and not self.terms.allow_sandbox:
            raise SandboxRefused("the endpoint is a sandbox; set a real endpoint, or generation.allow_sandbox where that is meant")
        return answered

    def _stored(self, writer: Writer, request: WriterRequest, schema: type[BaseModel]) -> Answered | None:
        with transaction() as db:
            paid = store.find_paid(db, self._key(writer, request, schema))
        if paid is None:
            return None
        log.info("model_call_reused call_id=%s brief_id=%s", paid.id, self.brief_id)
        stop = Stop.DONE if paid.outcome in {Stop.DONE, Stop.INVALID} else Stop(paid.outcome)
        again = completion(schema, paid.response["text"], stop, Usage(paid.input_tokens, paid.output_tokens), writer.name, paid.response["model"])
        return Answered(again, paid.cost_usd, str(paid.id), reused=True)

    def _buy(self, writer: Writer, request: WriterRequest, schema: type[BaseModel], purpose: str) -> Answered:
        call_id = self._reserve(writer, request, schema, purpose)
        try:
            answer = self._patiently(writer, request, schema)
        except (WriterBusy, WriterRefusedCall) as exc:
            lost = self._bound(writer, request, schema) if isinstance(exc, WriterBusy) and exc.maybe_billed else 0.0
            self._finish(call_id, "failed", {"error": str(exc)}, Usage(), lost)
            raise
        cost = round(self.terms.prices.price(answer.model).of(answer.usage), 6)  # as the row holds it
        self._finish(call_id, str(answer.stop), {"text": answer.text, "model": answer.model, "raw": dict(answer.raw)}, answer.usage, cost)
        log.info("model_called call_id=%s provider=%s model=%s outcome=%s cost_usd=%.6f", call_id, writer.name, answer.model, answer.stop, cost)
        return Answered(answer, cost, str(call_id), reused=False)

    def _patiently(self, writer: Writer, request: WriterRequest, schema: type[BaseModel]) -> Completion:
        """Try a busy provider again after the pause that it asks for; a lost answer that may be billed is not asked for twice."""
        for attempt in range(1, TRIES + 1):
            try:
                return writer.complete(request, schema, self.terms.models[writer.name], self.terms.limits)
            except WriterBusy as exc:
                pause = exc.retry_after_seconds if exc.retry_after_seconds is not None else 2.0 ** (attempt - 1)
                if attempt == TRIES or exc.maybe_billed or pause > LONGEST_PAUSE_SECONDS:
                    raise
                self.sleep(pause)
        raise AssertionError("unreachable")

    def _reserve(self, writer: Writer, request: WriterRequest, schema: type[BaseModel], purpose: str) -> UUID:
        planned = store.PlannedCall(
            cache_key=self._key(writer, request, schema),
            brief_id=self.brief_id,
            run_id=self.run_id,
            purpose=purpose,
            provider=writer.name,
            model=self.terms.models[writer.name],
            request_sha256=_sha256(asdict(request)),
            reserved_usd=self._bound(writer, request, schema),
        )
        with transaction() as db:
            call_id = store.reserve_call(db, planned, self.terms.budget, self.clock())
        if call_id is None:
            raise BudgetExhausted(
                "the next model call might pass the budget of the day or of this run (generation.daily_budget_usd, generation.run_budget_usd)"
            )
        return call_id

    def _finish(self, call_id: UUID, outcome: str, response: Mapping[str, Any], usage: Usage, cost_usd: float) -> None:
        with transaction() as db:
            store.finish_call(db, call_id, outcome, response, (usage.input_tokens, usage.output_tokens), cost_usd, self.clock())

    def _bound(self, writer: Writer, request: WriterRequest, schema: type[BaseModel]) -> float:
        price = self.terms.prices.price(self.terms.models[writer.name])
        return upper_bound(price, request, self.terms.limits, len(json.dumps(strict_schema(schema))))

    def _key(self, writer: Writer, request: WriterRequest, schema: type[BaseModel]) -> str:
        return _sha256([writer.name, self.terms.models[writer.name], strict_schema(schema), asdict(request), str(self.brief_id)])


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
