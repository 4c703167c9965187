"""config/issues.yaml: the types of issues."""

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aquascene.adapters.catalog import files
from aquascene.delivery.model import IssueType, Policy
from aquascene.errors import ConfigError


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = Field(min_length=1, max_length=100)
    subject: str = Field(min_length=1, max_length=200)
    segment: str
    min_articles: int = Field(1, ge=1, le=100)
    introduction: str = Field("", max_length=2000)
    policy: Policy = Policy.PREFER_NO_DUPLICATE


def load_issue_types() -> dict[str, IssueType]:
    """Read all issue types by key; ConfigError names what is wrong and where."""
    return {key: _issue_type(key, entry) for key, entry in files.read("issues.yaml").items()}


def get_issue_type(key: str) -> IssueType:
    """Read one issue type; an unknown key is a ConfigError."""
    found = load_issue_types()
    if key not in found:
        raise ConfigError(f"issues.yaml has no issue type {key!r}; it has {', '.join(found)}")
    return found[key]


def _issue_type(key: str, entry: object) -> IssueType:
    try:
        return IssueType(key=key, **_Entry.model_validate(entry).model_dump())
    except ValidationError as exc:
        first = exc.errors(include_input=False)[0]
        raise ConfigError(f"issues.yaml, {'.'.join([key, *map(str, first['loc'])])}: {first['msg']}") from None
