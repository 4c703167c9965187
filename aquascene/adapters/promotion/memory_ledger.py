"""The promotion ledger in memory: the same rules as in PostgreSQL, for rehearsals and tests. Safe to share between threads."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import wraps
from threading import RLock
from typing import Any, Concatenate, ParamSpec, TypeVar

from aquascene.errors import Conflict, NotFound
from aquascene.release import audit
from aquascene.release.model import PromotionId, Release
from aquascene.release.plan import Plan
from aquascene.release.ports import LostLease
from aquascene.release.records import (
    Actor,
    Approval,
    AuditRow,
    Busy,
    Commit,
    Entry,
    EnvironmentRecord,
    KeptEntry,
    KeptRelease,
    Lease,
    Options,
    Promotion,
)
from aquascene.release.states import ENDED, LETS_GO, WAITING, Kind, State, check
from aquascene.release.strategies import Strategy

P = ParamSpec("P")
T = TypeVar("T")


def _atomic(method: "Callable[Concatenate[MemoryLedger, P], T]") -> "Callable[Concatenate[MemoryLedger, P], T]":
    @wraps(method)
    def locked(self: "MemoryLedger", /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self._lock:
            return method(self, *args, **kwargs)

    return locked


@dataclass
class MemoryLedger:
    """Serves `release.ports.Ledger` from dictionaries; `now` is the ledger's own time."""

    now: Callable[[], datetime]
    _lock: RLock = field(default_factory=RLock, repr=False)
    _releases: dict[str, KeptRelease] = field(default_factory=dict)
    _environments: dict[str, EnvironmentRecord] = field(default_factory=dict)
    _promotions: dict[PromotionId, Promotion] = field(default_factory=dict)
    _entries: dict[tuple[PromotionId, int], KeptEntry] = field(default_factory=dict)
    _approvals: dict[tuple[PromotionId, str, str], Approval] = field(default_factory=dict)
    _audit: list[AuditRow] = field(default_factory=list)

    # --- releases

    @_atomic
    def add_release(self, release: Release, by: Actor) -> bool:
        kept = self._releases.get(release.version)
        if kept is not None:
            if kept.release.sha256 != release.sha256:
                raise Conflict(f"release {release.version} is in the ledger with other content; a release never changes, raise the version")
            return False
        self._releases[release.version] = KeptRelease(release, self.now(), by.name)
        self._note(by.name, "release_added", release.version, {"sha256": release.sha256})
        return True

    @_atomic
    def get_release(self, version: str) -> KeptRelease:
        if version not in self._releases:
            raise NotFound(f"there is no release {version}; register it: aquascene release create release.json")
        return self._releases[version]

    @_atomic
    def list_releases(self) -> list[KeptRelease]:
        return sorted(self._releases.values(), key=lambda kept: kept.created_at, reverse=True)

    @_atomic
    def block_release(self, version: str, by: Actor, reason: str) -> None:
        kept = self.get_release(version)
        if kept.blocked_at is None:
            self._releases[version] = replace(kept, blocked_at=self.now(), blocked_by=by.name, blocked_reason=reason)
            self._note(by.name, "release_blocked", version, {"reason": reason})

    # --- promotions that nobody holds

    @_atomic
    def get_environment(self, name: str) -> EnvironmentRecord:
        return self._environments.get(name, EnvironmentRecord(name))

    @_atomic
    def request(self, promotion_id: PromotionId, environment: str, release: str, kind: Kind, strategy: Strategy, options: Options, by: Actor) -> Promotion:
        self.get_release(release)
        same = [found for found in self._promotions.values() if (found.environment, found.release, found.kind) == (environment, release, kind)]
        if still_open := next((found for found in same if not found.ended), None):
            return still_open
        now = self.now()
        made = Promotion(promotion_id, kind, environment, release, strategy, State.REQUESTED, by, now, now, options)
        self._promotions[promotion_id] = made
        self._note(by.name, "promotion_requested", promotion_id, {"environment": environment, "release": release, "kind": str(kind)})
        return made

    @_atomic
    def save_plan(self, promotion_id: PromotionId, plan: Plan, strategy: Strategy, options: Options, by: Actor) -> Promotion:
        changes = {"plan": plan, "strategy": strategy, "options": options, "requested_by": by}
        return self._waiting(promotion_id, State.PLANNED, by.name, {"plan_hash": plan.hash}, **changes)

    @_atomic
    def await_approval(self, promotion_id: PromotionId) -> Promotion:
        found = self.get_promotion(promotion_id)
        return self._waiting(promotion_id, State.AWAITING_APPROVAL, found.requested_by.name, {})

    @_atomic
    def refuse(self, promotion_id: PromotionId, code: str, reason: str, by: Actor) -> Promotion:
        return self._waiting(promotion_id, State.REFUSED, by.name, {"code": code, "reason": reason}, reason_code=code, reason=reason)

    def _waiting(self, promotion_id: PromotionId, new: State, actor: str, detail: Mapping[str, Any], **changes: Any) -> Promotion:
        found = self.get_promotion(promotion_id)
        if found.state not in WAITING:
            raise Conflict(f"promotion {promotion_id} is {found.state}")
        check(found.state, new)
        return self._move(found, new, actor, detail, **changes)

    @_atomic
    def approve(self, approval: Approval, by: Actor) -> None:
        self._approvals[approval.promotion, approval.plan_hash, approval.by] = replace(approval, at=self.now())
        detail = {"plan_hash": approval.plan_hash, "approved": approval.approved, "reason": approval.reason}
        self._note(by.name, "plan_decided", approval.promotion, detail)

    @_atomic
    def ask_stop(self, promotion_id: PromotionId, by: Actor, reason: str) -> Promotion:
        found = self.get_promotion(promotion_id)
        if found.ended:
            raise Conflict(f"promotion {promotion_id} is {found.state}; there is nothing to stop")
        self._promotions[promotion_id] = replace(found, stop_by=by.name, stop_reason=reason)
        self._note(by.name, "stop_asked", promotion_id, {"reason": reason})
        return self._promotions[promotion_id]

    @_atomic
    def get_promotion(self, promotion_id: PromotionId) -> Promotion:
        if promotion_id not in self._promotions:
            raise NotFound(f"there is no promotion {promotion_id}")
        return self._promotions[promotion_id]

    @_atomic
    def list_promotions(self, environment: str | None = None, limit: int = 50) -> list[Promotion]:
        found = [one for one in self._promotions.values() if environment in (None, one.environment)]
        return found[::-1][:limit]

    @_atomic
    def unfinished(self, environment: str) -> list[Promotion]:
        here = [one for one in self._promotions.values() if one.environment == environment]
        return [one for one in here if one.under_way or one.state is State.COMMITTED]

    @_atomic
    def commits(self, environment: str) -> list[Commit]:
        taken = [one for one in self._promotions.values() if one.environment == environment and one.committed_at and one.kind is not Kind.CONTRACT]
        taken.sort(key=lambda one: one.committed_at or one.created_at)
        return [Commit(environment, self._releases[one.release].release.digests, one.kind, one.committed_at) for one in taken if one.committed_at]

    @_atomic
    def entries(self, promotion_id: PromotionId) -> list[KeptEntry]:
        return [kept for (promotion, _), kept in sorted(self._entries.items(), key=lambda item: item[0][1]) if promotion == promotion_id]

    @_atomic
    def approvals(self, promotion_id: PromotionId) -> list[Approval]:
        return [found for found in self._approvals.values() if found.promotion == promotion_id]

    @_atomic
    def audit_rows(self) -> Sequence[AuditRow]:
        return list(self._audit)

    # --- under a lease

    @_atomic
    def acquire(self, promotion_id: PromotionId, holder: str, lease: timedelta) -> Lease | Busy:
        found, now = self.get_promotion(promotion_id), self.now()
        here = self.get_environment(found.environment)
        held = here.lease_until_at if here.lease_until_at and here.lease_until_at > now else None
        if held or here.locked_by not in (None, promotion_id):
            return Busy(here.name, here.locked_by, here.holder, held, here.frozen_reason)
        if found.ended and found.state is not State.COMMITTED:
            raise Conflict(f"promotion {promotion_id} is {found.state}")
        fence = here.fence + 1
        taken = replace(here, fence=fence, holder=holder, lease_until_at=now + lease, locked_by=promotion_id)
        self._environments[here.name] = taken
        if found.state in WAITING:
            check(found.state, State.LOCKED)
            self._move(found, State.LOCKED, holder, {"fence": fence}, fence=fence)
        else:
            self._promotions[promotion_id] = replace(found, fence=fence)
            self._note(holder, "lock_taken", promotion_id, {"fence": fence, "state": str(found.state)})
        return Lease(here.name, promotion_id, holder, fence)

    @_atomic
    def renew(self, held: Lease, lease: timedelta) -> str:
        here = self._fenced(held)
        self._environments[here.name] = replace(here, holder=held.holder, lease_until_at=self.now() + lease)
        found = self.get_promotion(held.promotion)
        return f"{found.stop_by} asked to stop: {found.stop_reason}" if found.stop_by else ""

    @_atomic
    def let_go(self, held: Lease) -> None:
        here = self.get_environment(held.environment)
        if (here.fence, here.locked_by) != (held.fence, held.promotion):
            return
        keeps = self.get_promotion(held.promotion).state is not State.COMMITTED
        self._environments[here.name] = replace(here, holder="", lease_until_at=None, locked_by=here.locked_by if keeps else None)

    @_atomic
    def advance(self, held: Lease, old: State, new: State, *, weight: int | None = None, code: str = "", reason: str = "") -> Promotion:
        found = self.get_promotion(held.promotion)
        if (found.state, found.fence) == (new, held.fence) and weight in (None, found.weight):
            return found  # this very write came through before
        here = self._fenced(held)
        if found.state is not old:
            raise Conflict(f"promotion {found.id} is {found.state}, not {old}")
        check(old, new)
        if new is State.ROLLBACK_FAILED:
            self._environments[here.name] = replace(here, frozen_reason=f"promotion {found.id} could not be rolled back: {reason}")
        if new in LETS_GO:
            self._environments[here.name] = replace(here, holder="", lease_until_at=None, locked_by=None, frozen_reason="")
        detail = {"fence": held.fence, "weight": weight if weight is not None else found.weight, "code": code, "reason": reason}
        changes = {"reason_code": code, "reason": reason} if code or reason else {}
        return self._move(found, new, held.holder, detail, weight=detail["weight"], fence=held.fence, **changes)

    @_atomic
    def write(self, held: Lease, entry: Entry) -> None:
        self._fenced(held)
        key = (held.promotion, entry.number)
        kept = self._entries.get(key)
        concluded_at = self.now() if entry.outcome else None
        if kept is None:
            self._entries[key] = KeptEntry(entry, held.fence, self.now(), concluded_at)
        elif kept.entry.outcome is None and entry.outcome:
            both = replace(entry, detail={**kept.entry.detail, **entry.detail})
            self._entries[key] = replace(kept, entry=both, concluded_at=concluded_at)

    @_atomic
    def commit(self, held: Lease, expected: str | None) -> Promotion:
        found = self.get_promotion(held.promotion)
        if (found.state, found.fence) == (State.COMMITTED, held.fence):
            return found
        here, now = self._fenced(held), self.now()
        if here.current != expected:
            raise Conflict(f"{here.name} runs {here.current}, not {expected}")
        check(found.state, State.COMMITTED)
        free = replace(here, holder="", lease_until_at=None, locked_by=None, frozen_reason="")
        if found.kind is not Kind.CONTRACT:
            previous = here.current if here.current != found.release else here.previous
            free = replace(free, current=found.release, previous=previous, current_promotion=found.id, committed_at=now)
        self._environments[here.name] = free
        return self._move(found, State.COMMITTED, held.holder, {"fence": held.fence, "release": found.release}, fence=held.fence, committed_at=now)

    def _fenced(self, held: Lease) -> EnvironmentRecord:
        here = self.get_environment(held.environment)
        if (here.fence, here.locked_by) != (held.fence, held.promotion):
            raise LostLease(f"{held.environment} is held with fence {here.fence}; this holder has {held.fence}")
        return here

    def _move(self, found: Promotion, new: State, actor: str, detail: Mapping[str, Any], **changes: Any) -> Promotion:
        now = self.now()
        ended = now if new in ENDED and found.ended_at is None else found.ended_at
        moved = replace(found, state=new, state_at=now, ended_at=ended, **changes)
        self._promotions[found.id] = moved
        self._note(actor, "promotion_moved", found.id, {"from": str(found.state), "to": str(new), **detail})
        return moved

    def _note(self, actor: str, action: str, subject: object, detail: Mapping[str, Any]) -> None:
        self._audit.append(audit.linked(self._audit[-1] if self._audit else None, self.now(), actor, action, str(subject), dict(detail)))
