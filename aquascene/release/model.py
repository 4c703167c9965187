"""A release: what release.json says about one immutable version of the product, strictly checked.

Files of format 1 hold exactly these fields. A release that fails here was not written by our pipeline or was changed since.
"""

import json
from itertools import pairwise
from typing import Annotated, Any, Literal, NewType
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from aquascene.errors import ConfigError
from aquascene.release.canonical import fingerprint

PromotionId = NewType("PromotionId", UUID)
Phase = Literal["expand", "contract"]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
RevisionId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]

# The role whose image stands for a release where one digest must do: what a colour runs in front of readers.
FACE = "web"
_NEEDED_ROLES = (FACE, "worker")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Image(_Part):
    """One image by digest; the platforms' own digests are those inside its index."""

    reference: str = Field(pattern=r"^[a-z0-9][A-Za-z0-9._:/-]*@sha256:[0-9a-f]{64}$")
    platforms: dict[str, Digest] = Field(default_factory=dict)

    @property
    def digest(self) -> str:
        """The digest that the reference pins."""
        return self.reference.rpartition("@")[2]

    def matches(self, digest: str) -> bool:
        """Tell whether a digest that was observed is this image: its index, or the image of one platform in it."""
        return digest == self.digest or digest in self.platforms.values()


class Revision(_Part):
    """One migration; `expand` only adds, `contract` takes away what only older code used."""

    id: RevisionId
    phase: Phase


class Range(_Part):
    """The oldest and the newest head that a release's own list lets it run on."""

    oldest: RevisionId
    newest: RevisionId


class Migrations(_Part):
    """Every revision that the code knows, oldest first."""

    head: RevisionId
    runs_on: Range
    revisions: tuple[Revision, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _agree(self) -> "Migrations":
        ids = [revision.id for revision in self.revisions]
        if len(set(ids)) < len(ids):
            raise ValueError("a revision is listed twice")
        if self.head != ids[-1] or self.runs_on.newest != ids[-1]:
            raise ValueError(f"head and runs_on.newest must be the last revision, {ids[-1]}")
        needed = [revision.id for revision in self.revisions if revision.phase == "expand"]
        if not needed or self.runs_on.oldest != needed[-1]:
            raise ValueError("runs_on.oldest must be the last revision of phase expand")
        return self


class Configuration(_Part):
    """The settings that the code takes."""

    schema_sha256: Sha256


class Prefect(_Part):
    """The Prefect that the image holds."""

    version: str


class Release(_Part):
    """One immutable version of the product."""

    format: Literal[1]
    version: str = Field(pattern=r"^\d+\.\d+\.\d+[A-Za-z0-9.+-]{0,40}$")
    git_sha: str = Field(pattern=r"^[0-9a-f]{40}$")
    created: AwareDatetime
    images: dict[str, Image]
    configuration: Configuration
    migrations: Migrations
    prefect: Prefect
    rendered: dict[str, Sha256]

    @model_validator(mode="after")
    def _has_roles(self) -> "Release":
        if missing := [role for role in _NEEDED_ROLES if role not in self.images]:
            raise ValueError(f"images lacks {', '.join(missing)}")
        return self

    @property
    def face(self) -> Image:
        """The image that answers readers."""
        return self.images[FACE]

    @property
    def digests(self) -> dict[str, str]:
        """The digest of every role: what must be the same from environment to environment."""
        return {role: image.digest for role, image in sorted(self.images.items())}

    def document(self) -> dict[str, Any]:
        """The release as JSON's types, as it is kept."""
        return self.model_dump(mode="json")

    @property
    def sha256(self) -> str:
        """A hash of everything that the release says."""
        return fingerprint(self.document())


def parse(text: str) -> Release:
    """Read release.json; ConfigError says everything that is wrong with it."""
    try:
        loaded = json.loads(text, object_pairs_hook=_once)
    except ValueError as exc:
        raise ConfigError(f"release.json is not valid JSON: {exc}") from None
    return from_document(loaded)


def from_document(document: Any) -> Release:
    """Check a release that was read from elsewhere."""
    try:
        return Release.model_validate(document)
    except ValidationError as exc:
        where = "; ".join(f"{'.'.join(map(str, error['loc'])) or 'release'}: {error['msg']}" for error in exc.errors(include_input=False))
        raise ConfigError(f"release.json is not valid: {where}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that stands twice: two readers could see two releases."""
    names = sorted(name for name, _ in pairs)
    for first, second in pairwise(names):
        if first == second:
            raise ValueError(f"the key {first!r} stands twice")
    return dict(pairs)
