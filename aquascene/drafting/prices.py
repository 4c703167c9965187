"""What model calls cost: an upper bound before a call, the real sum after it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from aquascene.drafting.ports import CallLimits, Usage, WriterRequest

_DATE = re.compile(r"-(?:\d{8}|\d{4}-\d{2}-\d{2}|latest)$")
CHARS_PER_TOKEN = 3  # English is nearer to four; a bound must not be too low


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens."""

    input_usd: float
    output_usd: float

    def of(self, usage: Usage) -> float:
        """Price what was used."""
        return (usage.input_tokens * self.input_usd + usage.output_tokens * self.output_usd) / 1_000_000


@dataclass(frozen=True)
class PriceList:
    """Prices by model; a model that is not listed costs what the dearest costs, so that a budget errs to the safe side."""

    models: Mapping[str, Price] = field(default_factory=dict)

    def price(self, model: str) -> Price:
        """Find the price of a model by its name, with or without a date; else the highest. (`!` starts a fault of the sandbox.)"""
        plain = model.split("!", 1)[0]
        for name in (plain, _DATE.sub("", plain)):
            if name in self.models:
                return self.models[name]
        return Price(max((p.input_usd for p in self.models.values()), default=20.0), max((p.output_usd for p in self.models.values()), default=100.0))


def upper_bound(price: Price, request: WriterRequest, limits: CallLimits, schema_chars: int) -> float:
    """The most that a call may cost."""
    chars = len(request.system) + sum(len(turn.text) for turn in request.turns) + schema_chars
    return price.of(Usage(chars // CHARS_PER_TOKEN + 1, limits.max_output_tokens))
