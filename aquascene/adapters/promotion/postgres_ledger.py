"""The promotion ledger in PostgreSQL: each call is one short transaction over `postgres.promotions`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from aquascene.adapters.postgres import promotions as store
from aquascene.adapters.postgres.db import describe, make_engine
from aquascene.adapters.settings import DatabaseSettings
from aquascene.errors import Conflict, TransientError
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
from aquascene.release.states import LETS_GO, WAITING, Kind, State, check
from aquascene.release.strategies import Strategy

# A process that is stopped (or cut off) within a transaction keeps the environment's row from its successor until the server
# ends that transaction: before lock_timeout (4 s) ends the successor's wait, so that it never gets to see this.
_IDLE = "SET idle_in_transaction_session_timeout = '2s'"


def ledger_engine(url: str, options: DatabaseSettings) -> Engine:
    """Build the engine of a ledger: three connections, for the promotion, its heartbeat, and one to spare."""
    engine = make_engine(url, options, 3)

    @event.listens_for(engine, "connect")
    def limit(connection: Any, record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(_IDLE)
        connection.commit()

    return engine


@dataclass(frozen=True)
class PostgresLedger:
    """Serves `release.ports.Ledger`."""

    engine: Engine

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self.engine.begin() as db:
                yield db
        # InternalError: what the driver calls it when the server has ended a session that was idle in a transaction.
        except (OperationalError, InterfaceError, InternalError, PoolTimeout) as exc:
            raise TransientError(f"ledger: {describe(exc)}") from exc

    # --- releases

    def add_release(self, release: Release, by: Actor) -> bool:
        with self._transaction() as db:
            kept = store.add_release(db, release, by.name)
            if kept is not None and kept != release.sha256:
                raise Conflict(f"release {release.version} is in the ledger with other content; a release never changes, raise the version")
            if kept is None:
                store.note(db, by.name, "release_added", release.version, {"sha256": release.sha256})
            return kept is None

    def get_release(self, version: str) -> KeptRelease:
        with self._transaction() as db:
            return store.get_release(db, version)

    def list_releases(self) -> list[KeptRelease]:
        with self._transaction() as db:
            return store.list_releases(db)

    def block_release(self, version: str, by: Actor, reason: str) -> None:
        with self._transaction() as db:
            store.get_release(db, version)
            if store.block_release(db, version, by.name, reason):
                store.note(db, by.name, "release_blocked", version, {"reason": reason})

    # --- promotions that nobody holds

    def get_environment(self, name: str) -> EnvironmentRecord:
        with self._transaction() as db:
            return store.get_environment(db, name)

    def request(self, promotion_id: PromotionId, environment: str, release: str, kind: Kind, strategy: Strategy, options: Options, by: Actor) -> Promotion:
        with self._transaction() as db:
            store.get_release(db, release)
            found, new = store.add_promotion(db, promotion_id, environment, release, kind, strategy, options, by)
            if new:
                store.note(db, by.name, "promotion_requested", found.id, {"environment": environment, "release": release, "kind": str(kind)})
            return found

    def save_plan(self, promotion_id: PromotionId, plan: Plan, strategy: Strategy, options: Options, by: Actor) -> Promotion:
        values = store.plan_values(plan, strategy, options, by)
        return self._waiting(promotion_id, State.PLANNED, by.name, {"plan_hash": plan.hash}, **values)

    def await_approval(self, promotion_id: PromotionId) -> Promotion:
        return self._waiting(promotion_id, State.AWAITING_APPROVAL, "", {})

    def refuse(self, promotion_id: PromotionId, code: str, reason: str, by: Actor) -> Promotion:
        return self._waiting(promotion_id, State.REFUSED, by.name, {"code": code, "reason": reason}, reason_code=code, reason=reason)

    def _waiting(self, promotion_id: PromotionId, new: State, actor: str, detail: Mapping[str, Any], **values: Any) -> Promotion:
        with self._transaction() as db:
            found = store.lock_promotion(db, promotion_id)
            if found.state not in WAITING:
                raise Conflict(f"promotion {promotion_id} is {found.state}")
            check(found.state, new)
            return self._move(db, found, new, actor or found.requested_by.name, detail, **values)

    def approve(self, approval: Approval, by: Actor) -> None:
        with self._transaction() as db:
            store.set_approval(db, approval)
            detail = {"plan_hash": approval.plan_hash, "approved": approval.approved, "reason": approval.reason}
            store.note(db, by.name, "plan_decided", approval.promotion, detail)

    def ask_stop(self, promotion_id: PromotionId, by: Actor, reason: str) -> Promotion:
        with self._transaction() as db:
            found = store.lock_promotion(db, promotion_id)
            if found.ended:
                raise Conflict(f"promotion {promotion_id} is {found.state}; there is nothing to stop")
            store.note(db, by.name, "stop_asked", promotion_id, {"reason": reason})
            return store.set_stop(db, promotion_id, by.name, reason)

    def get_promotion(self, promotion_id: PromotionId) -> Promotion:
        with self._transaction() as db:
            return store.get_promotion(db, promotion_id)

    def list_promotions(self, environment: str | None = None, limit: int = 50) -> list[Promotion]:
        with self._transaction() as db:
            return store.list_promotions(db, environment, limit)

    def unfinished(self, environment: str) -> list[Promotion]:
        with self._transaction() as db:
            return store.unfinished(db, environment)

    def commits(self, environment: str) -> list[Commit]:
        with self._transaction() as db:
            return store.commits(db, environment)

    def entries(self, promotion_id: PromotionId) -> list[KeptEntry]:
        with self._transaction() as db:
            return store.entries(db, promotion_id)

    def approvals(self, promotion_id: PromotionId) -> list[Approval]:
        with self._transaction() as db:
            return store.approvals(db, promotion_id)

    def audit_rows(self) -> Sequence[AuditRow]:
        with self._transaction() as db:
            return store.audit_rows(db)

    # --- under a lease

    def acquire(self, promotion_id: PromotionId, holder: str, lease: timedelta) -> Lease | Busy:
        with self._transaction() as db:
            name = store.get_promotion(db, promotion_id).environment
            fence = store.take(db, name, promotion_id, holder, lease)
            if fence is None:
                here = store.get_environment(db, name)
                until = here.lease_until_at if store.held_until(db, here) else None
                return Busy(name, here.locked_by, here.holder, until, here.frozen_reason)
            found = store.lock_promotion(db, promotion_id)
            if found.ended and found.state is not State.COMMITTED:
                raise Conflict(f"promotion {promotion_id} is {found.state}")
            if found.state in WAITING:
                check(found.state, State.LOCKED)
                self._move(db, found, State.LOCKED, holder, {"fence": fence}, fence=fence)
            else:
                store.set_fence(db, promotion_id, fence)
                store.note(db, holder, "lock_taken", promotion_id, {"fence": fence, "state": str(found.state)})
            return Lease(name, promotion_id, holder, fence)

    def renew(self, held: Lease, lease: timedelta) -> str:
        with self._transaction() as db:
            if not store.renew(db, held, lease):
                raise self._lost(db, held)
            found = store.get_promotion(db, held.promotion)
            return f"{found.stop_by} asked to stop: {found.stop_reason}" if found.stop_by else ""

    def let_go(self, held: Lease) -> None:
        with self._transaction() as db:
            if store.lock_fence(db, held):
                store.end_lease(db, held, unlock=store.get_promotion(db, held.promotion).state is State.COMMITTED)

    def advance(self, held: Lease, old: State, new: State, *, weight: int | None = None, code: str = "", reason: str = "") -> Promotion:
        with self._transaction() as db:
            found = store.get_promotion(db, held.promotion)
            if (found.state, found.fence) == (new, held.fence) and weight in (None, found.weight):
                return found  # this very write came through before
            self._lock(db, held)
            found = store.lock_promotion(db, held.promotion)
            if found.state is not old:
                raise Conflict(f"promotion {found.id} is {found.state}, not {old}")
            check(old, new)
            if new is State.ROLLBACK_FAILED:
                store.freeze(db, held, f"promotion {found.id} could not be rolled back: {reason}")
            if new in LETS_GO:
                store.end_lease(db, held, unlock=True, thaw=True)
            reached = found.weight if weight is None else weight
            detail = {"fence": held.fence, "weight": reached, "code": code, "reason": reason}
            why = {"reason_code": code, "reason": reason} if code or reason else {}
            return self._move(db, found, new, held.holder, detail, weight=reached, fence=held.fence, **why)

    def write(self, held: Lease, entry: Entry) -> None:
        with self._transaction() as db:
            self._lock(db, held)
            store.write_entry(db, held, entry)

    def commit(self, held: Lease, expected: str | None) -> Promotion:
        with self._transaction() as db:
            found = store.get_promotion(db, held.promotion)
            if (found.state, found.fence) == (State.COMMITTED, held.fence):
                return found
            here = self._lock(db, held)
            found = store.lock_promotion(db, held.promotion)
            check(found.state, State.COMMITTED)
            if here.current != expected or (found.kind is not Kind.CONTRACT and not store.set_current(db, held, found, expected)):
                raise Conflict(f"{here.name} runs {here.current}, not {expected}")
            store.end_lease(db, held, unlock=True, thaw=True)
            return self._move(db, found, State.COMMITTED, held.holder, {"fence": held.fence, "release": found.release}, fence=held.fence)

    def _lock(self, db: Connection, held: Lease) -> EnvironmentRecord:
        here = store.lock_fence(db, held)
        if here is None:
            raise self._lost(db, held)
        return here

    def _lost(self, db: Connection, held: Lease) -> LostLease:
        fence = store.get_environment(db, held.environment).fence
        return LostLease(f"{held.environment} is held with fence {fence}; this holder has {held.fence}")

    def _move(self, db: Connection, found: Promotion, new: State, actor: str, detail: Mapping[str, Any], **values: Any) -> Promotion:
        moved = store.move(db, found, new, **values)
        store.note(db, actor, "promotion_moved", found.id, {"from": str(found.state), "to": str(new), **detail})
        return moved
