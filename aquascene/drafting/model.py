"""The nouns of drafting: brief, draft, claim, finding. Values only; rows become these in adapters.postgres.drafting."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from aquascene.ids import BriefId, DraftId

_Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]


class Severity(StrEnum):
    """What a finding does: `blocking` refuses approval, `warning` asks for a look, `info` only tells."""

    BLOCKING = "blocking"
    WARNING = "warning"
    INFO = "info"


class FindingVerdict(StrEnum):
    """What a check said. `unchecked` is not a pass: nothing was there to check against."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    UNCHECKED = "unchecked"
    FAILED = "failed"


class Refusal(StrEnum):
    """Why a brief ended without a draft; stored in brief.refusal."""

    NO_EVIDENCE = "no-evidence"
    UNSUPPORTED = "unsupported"
    BUDGET = "budget-exhausted"
    MODEL_REFUSED = "model-refused"
    NO_WRITER = "no-writer"
    SANDBOX = "sandbox-not-allowed"
    UNKNOWN_TYPE = "unknown-content-type"


class BriefRequest(BaseModel):
    """A request for a draft, as it comes through the API, a flow parameter or the editorial plan."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    content_type: str = Field(pattern=r"^[a-z][a-z0-9_-]{1,39}$", description="Kind of text: guide or digest.")
    topic: str = Field(min_length=3, max_length=200, description="What the draft is about; also the start of its title.")
    audience: _Line = Field("", description="Who it is for, e.g. beginners with a 60 litre tank.")
    keywords: list[_Line] = Field(default_factory=list, max_length=20, description="Words that good sources hold; they choose the evidence.")
    instructions: str = Field("", max_length=4000, description="Further wishes of the editor.")


@dataclass(frozen=True)
class Brief:
    """A stored request for a draft."""

    id: BriefId
    content_type: str
    topic: str
    audience: str
    keywords: tuple[str, ...]
    instructions: str
    requested_by: str
    state: str
    plan_key: str | None = None
    refusal: str | None = None
    attempts: int = 0
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True)
class Claim:
    """One statement of a draft with the words that carry it: `quote` stands verbatim in the document."""

    text: str
    document_id: str
    quote: str
    section: str
    source_id: str = ""

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read a claim from a JSON object; unknown keys of newer versions are left out."""
        return cls(**{key: str(value.get(key, "")) for key in ("text", "document_id", "quote", "section", "source_id")})

    def to_json(self) -> dict[str, str]:
        """Write the claim as a JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class Finding:
    """What one check says about one place of a draft."""

    check: str
    severity: Severity
    verdict: FindingVerdict
    message: str
    span: str = ""
    reference: str = ""

    @property
    def blocks(self) -> bool:
        """Tell whether this finding refuses approval."""
        return self.severity is Severity.BLOCKING

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read a finding from a JSON object."""
        texts = {key: str(value.get(key, "")) for key in ("check", "message", "span", "reference")}
        return cls(severity=Severity(value["severity"]), verdict=FindingVerdict(value["verdict"]), **texts)

    def to_json(self) -> dict[str, str]:
        """Write the finding as a JSON object."""
        return {key: str(value) for key, value in asdict(self).items()}


@dataclass(frozen=True)
class Draft:
    """One version of proposed text. The text, its claims and its hash never change; only `state` does."""

    id: DraftId
    brief_id: BriefId
    version: int
    state: str
    content_type: str
    title: str
    slug: str
    summary: str
    body_markdown: str
    claims: tuple[Claim, ...]
    findings: tuple[Finding, ...]
    blocked: bool
    content_sha256: str
    provider: str
    model: str
    prompt_version: str
    sandbox: bool
    cost_usd: Decimal
    provenance: Mapping[str, Any]
    image_hashes: tuple[str, ...] = ()
    edited_by: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True)
class NewDraft:
    """A draft before it has an id and a version number."""

    content_type: str
    title: str
    slug: str
    summary: str
    body_markdown: str
    claims: tuple[Claim, ...]
    findings: tuple[Finding, ...]
    provider: str
    model: str
    prompt_version: str
    sandbox: bool
    cost_usd: Decimal
    provenance: Mapping[str, Any]
    image_hashes: tuple[str, ...] = field(default=())
    edited_by: str | None = None

    @property
    def blocked(self) -> bool:
        """Tell whether a blocking finding stands."""
        return any(finding.blocks for finding in self.findings)
