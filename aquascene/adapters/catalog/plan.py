"""The editorial plan and the price list: config/plan.yaml and config/prices.yaml."""

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aquascene.adapters.catalog.files import read
from aquascene.drafting.content_types import TYPES
from aquascene.drafting.model import BriefRequest
from aquascene.drafting.plan import Cadence, StandingBrief
from aquascene.drafting.prices import Price, PriceList
from aquascene.errors import ConfigError

_M = TypeVar("_M", bound=BaseModel)


class _Entry(BriefRequest):
    key: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{1,60}$")
    cadence: Cadence


class _Plan(BaseModel):
    model_config = ConfigDict(extra="forbid")
    briefs: list[_Entry] = Field(default_factory=list)


class _Price(BaseModel):
    model_config = ConfigDict(extra="forbid")
    input_usd: float = Field(ge=0)
    output_usd: float = Field(ge=0)


class _Prices(BaseModel):
    model_config = ConfigDict(extra="forbid")
    models: dict[str, _Price]


def load_plan() -> list[StandingBrief]:
    """Read the standing briefs; unknown content types and repeated keys are refused."""
    entries = _validated(_Plan, "plan.yaml").briefs
    for entry in entries:
        if entry.content_type not in TYPES:
            raise ConfigError(f"plan.yaml: {entry.key}: content_type {entry.content_type!r} is unknown; it is one of {', '.join(TYPES)}")
    if len({entry.key for entry in entries}) < len(entries):
        raise ConfigError("plan.yaml: two briefs have the same key; give each its own")
    return [StandingBrief(entry.key, entry.cadence, BriefRequest(**entry.model_dump(exclude={"key", "cadence"}))) for entry in entries]


def load_prices() -> PriceList:
    """Read what the models cost."""
    return PriceList({name: Price(price.input_usd, price.output_usd) for name, price in _validated(_Prices, "prices.yaml").models.items()})


def _validated(model: type[_M], name: str) -> _M:
    try:
        return model.model_validate(read(name))
    except ValidationError as exc:
        where = "; ".join(f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}" for error in exc.errors(include_input=False))
        raise ConfigError(f"{name} is not valid: {where}") from None
