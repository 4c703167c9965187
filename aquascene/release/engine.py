"""The engine: brings one release to one environment, from request to the end, whoever dies on the way.

It is plain Python over ports. The ledger is the truth about what was decided, the world about what is; a new engine enters
anywhere with a higher fence. An engine that finds its lease gone stops at once and changes nothing more.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from aquascene.errors import AquasceneError, Conflict, NotFound, TransientError
from aquascene.release import drift, gates, planning, steps, undoing
from aquascene.release.gates import Facts, Refusal
from aquascene.release.holding import Hold, Terms, patiently, tell
from aquascene.release.model import PromotionId
from aquascene.release.observation import other
from aquascene.release.plan import Plan, differences
from aquascene.release.policy import Policy
from aquascene.release.ports import LostLease, Own, Ports, StepFailed
from aquascene.release.records import Actor, Busy, Lease, Options, Promotion
from aquascene.release.states import TOUCHED, UNTOUCHED, WAITING, Exit, Kind, State, exit_code
from aquascene.release.strategies import Strategy

T = TypeVar("T")
log = logging.getLogger(__name__)
_SHIFTED = TOUCHED[TOUCHED.index(State.SHIFTING) :]


@dataclass(frozen=True, slots=True)
class Result:
    """Where a promotion stands when an engine has done with it, and the exit code of the command."""

    promotion: Promotion
    code: Exit
    text: str = ""


@dataclass(frozen=True)
class Engine:
    """One engine for one environment; `holder` names this process in the ledger."""

    ports: Ports
    policy: Policy
    holder: str
    by: Actor
    own: Own | None = None
    terms: Terms = field(default_factory=Terms)

    # --- planning

    def plan(self, release: str, kind: Kind = Kind.RELEASE, strategy: Strategy | None = None, options: Options | None = None) -> Promotion:
        """Request a promotion, or find the open one, and plan it against the world as it is; an impossible one is refused."""
        promotion, chosen, wanted = self._requested(release, kind, strategy, options)
        try:
            return self._planned(promotion, chosen, wanted) if promotion.state in WAITING else promotion
        except Conflict:
            return self._moved_on(promotion.id)

    def _requested(self, release: str, kind: Kind, strategy: Strategy | None, options: Options | None) -> tuple[Promotion, Strategy, Options]:
        chosen, wanted = strategy or self.policy.strategy, options or Options()
        promotion = self.ports.ledger.request(self.ports.new_id(), self.policy.environment, release, kind, chosen, wanted, self.by)
        return promotion, chosen, wanted

    def _moved_on(self, promotion_id: PromotionId) -> Promotion:
        """Read a promotion that another engine has begun or ended meanwhile."""
        promotion = self.ports.ledger.get_promotion(promotion_id)
        if promotion.state in WAITING:
            raise Conflict(f"promotion {promotion_id} was changed while it was read; try again")
        return promotion

    def _planned(self, promotion: Promotion, strategy: Strategy, options: Options, wanted_hash: str = "") -> Promotion:
        """Plan anew; the same plan again stays as it is, with its approvals."""
        asked = replace(promotion, strategy=strategy, options=options)
        drawn = planning.draw_up(self.ports, self.policy, asked, self._patiently)
        if drawn.plan is None:
            return self._refuse(promotion, list(drawn.refusals))
        if wanted_hash and drawn.plan.hash != wanted_hash:
            return self._refuse(promotion, [Refusal("stale-plan", _stale(promotion.plan, drawn.plan, wanted_hash))])
        same = promotion.plan is not None and promotion.plan.hash == drawn.plan.hash
        if same and (promotion.strategy, promotion.options) == (strategy, options):
            return promotion
        return self.ports.ledger.save_plan(promotion.id, drawn.plan, strategy, options, self.by)

    def _refuse(self, promotion: Promotion, found: list[Refusal]) -> Promotion:
        text = "; ".join(refusal.text for refusal in found)
        log.info("promotion_refused promotion_id=%s code=%s", promotion.id, found[0].code)
        return self.ports.ledger.refuse(promotion.id, found[0].code, text, self.by)

    # --- running

    def promote(self, release: str, kind: Kind = Kind.RELEASE, strategy: Strategy | None = None, options: Options | None = None, plan_hash: str = "") -> Result:
        """Plan and run in one; a promotion of this release that has begun is resumed, one that is done already is a success."""
        wanted = options or Options()
        if kind is Kind.RELEASE and not wanted.fix_forward and (done := self._done_already(release, wanted)):
            return done
        promotion, chosen, wanted = self._requested(release, kind, strategy, wanted)
        return self._run(promotion, chosen, wanted, plan_hash)

    def _done_already(self, release: str, options: Options) -> Result | None:
        """The promotion that brought this very release here, when it is the current one."""
        here = self.ports.ledger.get_environment(self.policy.environment)
        if here.current != release or here.current_promotion is None or here.locked_by is not None:
            return None
        promotion = self.ports.ledger.get_promotion(here.current_promotion)
        if found := self.drift(with_flows=not options.without_flows):
            return Result(promotion, Exit.DRIFT, "; ".join(map(str, found)))
        return self._result(promotion, f"{here.name} runs {release} already")

    def run(self, promotion_id: PromotionId, plan_hash: str = "") -> Result:
        """Carry out a promotion: through the gates, under the lock, to its end. With `plan_hash` only that very plan."""
        promotion = self.ports.ledger.get_promotion(promotion_id)
        return self._run(promotion, promotion.strategy, promotion.options, plan_hash)

    def _run(self, promotion: Promotion, strategy: Strategy, options: Options, plan_hash: str) -> Result:
        self._own_environment(promotion)
        if promotion.state not in WAITING:
            return self.resume(promotion.id)
        try:
            promotion = self._planned(promotion, strategy, options, plan_hash)
            return self._result(promotion) if promotion.ended else self._gate(promotion) or self._take(promotion)
        except Conflict:
            return self.resume(self._moved_on(promotion.id).id)

    def _gate(self, promotion: Promotion) -> Result | None:
        """Ask every gate; None when it may begin."""
        facts = self._facts(promotion)
        standing = gates.approval(facts, self.ports.ledger.approvals(promotion.id))
        refusals = gates.refusals(facts) + ([standing.refusal] if standing.refusal else [])
        if refusals:
            return self._result(self._refuse(promotion, refusals))
        if text := gates.frozen(facts):
            return Result(promotion, Exit.LOCKED, text)
        if standing.missing:
            return self._wait(promotion, standing.missing)
        return None

    def _facts(self, promotion: Promotion) -> Facts:
        ledger, before = self.ports.ledger, self.policy.promote_from
        kept, here = ledger.get_release(promotion.release), ledger.get_environment(promotion.environment)
        return Facts(promotion, kept, here, self.policy, ledger.commits(before.environment) if before else [], self.ports.clock.now(), self.own)

    def _wait(self, promotion: Promotion, missing: int) -> Result:
        text = f"{missing} more approval{'s' if missing > 1 else ''} by other people: aquascene promote approve {promotion.id}"
        if promotion.state is not State.AWAITING_APPROVAL:
            promotion = self.ports.ledger.await_approval(promotion.id)
            tell(self.ports, promotion, "awaiting-approval", text)
        return Result(promotion, Exit.NOT_APPROVED, text)

    def resume(self, promotion_id: PromotionId) -> Result:
        """Take up a promotion wherever it stands; one that waits is run, one that is committed is cleaned when its time has come."""
        promotion = self.ports.ledger.get_promotion(promotion_id)
        self._own_environment(promotion)
        if promotion.state in WAITING:
            return self.run(promotion_id)
        if promotion.state is State.COMMITTED:
            return self.clean(promotion)
        return self._result(promotion) if promotion.ended else self._take(promotion)

    def reconcile(self) -> list[Result]:
        """Resume whatever died here, and clean what is due; what another engine holds is left to it."""
        results = []
        for promotion in self.ports.ledger.unfinished(self.policy.environment):
            result = self.resume(promotion.id)
            if result.code is not Exit.LOCKED and result.promotion.state is not promotion.state:
                results.append(result)
        return results

    def stop(self, promotion_id: PromotionId, reason: str) -> Result:
        """Stop and undo a promotion that is under way: ask its engine, or do it here when that has ended."""
        promotion = self.ports.ledger.ask_stop(promotion_id, self.by, reason)
        if promotion.state in WAITING:
            return self._result(self._refuse(promotion, [Refusal("stopped", f"{self.by.name} stopped it: {reason}")]))
        return self.resume(promotion_id)

    def rollback(self, reason: str, options: Options | None = None) -> Result:
        """Go back: stop what is under way, or promote the release before the current one."""
        here = self.ports.ledger.get_environment(self.policy.environment)
        if here.locked_by is not None:
            under_way = self.ports.ledger.get_promotion(here.locked_by)
            if under_way.state is not State.COMMITTED:
                return self.resume(under_way.id) if under_way.kind is Kind.ROLLBACK else self.stop(under_way.id, reason)
        if here.previous is None:
            raise NotFound(f"{here.name} has no release before {here.current or 'the first'}; there is nothing to go back to")
        return self.promote(here.previous, Kind.ROLLBACK, options=options)

    # --- under the lock

    def _take(self, promotion: Promotion) -> Result:
        """Take the lock, stamp the fence on the target, and drive the promotion to an end."""
        got = self.ports.ledger.acquire(promotion.id, self.holder, self.terms.lease)
        if isinstance(got, Busy):
            return Result(promotion, Exit.LOCKED, str(got))
        try:
            hold = self._enter(got)
            with self.ports.pulse(hold.beat):
                self._drive(hold)
        except LostLease as exc:
            log.warning("promotion_lost promotion_id=%s fence=%d", promotion.id, got.fence)
            return Result(self._last_known(promotion), Exit.LOCKED, str(exc))
        except KeyboardInterrupt:
            self.ports.ledger.let_go(got)
            raise
        return self._end(hold)

    def _last_known(self, promotion: Promotion) -> Promotion:
        try:
            return self.ports.ledger.get_promotion(promotion.id)
        except TransientError:
            return promotion

    def _enter(self, lease: Lease) -> Hold:
        """Stamp the fence before anything is looked at: what an old holder still sends is refused from here on."""
        try:
            self._patiently(lambda: self.ports.target.claim(lease.fence))
            return self._hold(lease)
        except AquasceneError:  # a world that does not answer is no reason to undo anything: somebody tries again
            self.ports.ledger.let_go(lease)
            raise

    def _hold(self, lease: Lease) -> Hold:
        ledger = self.ports.ledger
        promotion = self._patiently(lambda: ledger.get_promotion(lease.promotion))
        release = self._patiently(lambda: ledger.get_release(promotion.release)).release
        here = self._patiently(lambda: ledger.get_environment(promotion.environment))
        before = promotion.plan.previous if promotion.plan else None
        previous = self._patiently(lambda: ledger.get_release(before)).release if before else None
        return Hold(self.ports, self.policy, self.terms, lease, promotion, release, previous, here.current)

    def _drive(self, hold: Hold) -> None:
        """Go forward until it ends; what fails is aborted or rolled back."""
        if hold.promotion.state is State.ROLLBACK_FAILED:  # a person mended something and resumed it
            hold.advance(State.ROLLING_BACK if hold.promotion.kind is Kind.RELEASE else State.EXPANDED)
        if hold.promotion.state is State.LOCKED:
            hold.tell("started", f"{hold.promotion.release} to {hold.promotion.environment}")
        if hold.promotion.state is not State.ROLLING_BACK:
            failure = self._attempt(hold, self._forward)
            if failure is None or not self._turn_back(hold, failure):
                return
        hold.undoing = True
        failure = self._attempt(hold, self._back)
        if failure is not None:
            hold.advance(State.ROLLBACK_FAILED, code=failure.reason_code, reason=f"{failure}; it was rolled back because: {hold.promotion.reason}")

    def _attempt(self, hold: Hold, way: Callable[[Hold], None]) -> StepFailed | None:
        """Go a way to its end; returns what failed on it. Nothing but a lost lease gets past here: half-done must not stay so."""
        try:
            way(hold)
        except LostLease:
            raise
        except StepFailed as exc:
            return exc
        except AquasceneError as exc:
            return StepFailed(exc.code, str(exc))
        except Exception as exc:
            log.exception("promotion_bug promotion_id=%s state=%s", hold.promotion.id, hold.promotion.state)
            return StepFailed("bug", f"{type(exc).__name__}: {exc}")
        return None

    def _forward(self, hold: Hold) -> None:
        while hold.promotion.state in UNTOUCHED + TOUCHED:
            todo, following = steps.after(hold.promotion.kind, hold.promotion.state)
            for name, step in todo:
                hold.check()
                self.ports.around(name, partial(step, hold))
            if following is not None:
                hold.advance(following)

    def _back(self, hold: Hold) -> None:
        for name, step in undoing.ORDER:
            hold.check()
            self.ports.around(name, partial(step, hold))
        hold.advance(State.ROLLED_BACK, code=hold.promotion.reason_code, reason=hold.promotion.reason)

    def _turn_back(self, hold: Hold, failure: StepFailed) -> bool:
        """Decide what a failure leads to; True when there is something to undo."""
        state, kind, code, reason = hold.promotion.state, hold.promotion.kind, failure.reason_code, str(failure)
        log.warning("promotion_failed promotion_id=%s state=%s code=%s", hold.promotion.id, state, code)
        if state in UNTOUCHED:
            hold.advance(State.ABORTED, code=code, reason=reason)
            return False
        # Undoing these would lead back to what a person wanted to leave, or need the schema that is gone.
        if kind is Kind.CONTRACT or (kind is Kind.ROLLBACK and state in _SHIFTED):
            hold.advance(State.ROLLBACK_FAILED, code=code, reason=reason)
            return False
        hold.advance(State.ROLLING_BACK, code=code, reason=reason)
        return True

    def _end(self, hold: Hold) -> Result:
        promotion = hold.promotion
        text = f"{promotion.release} in {promotion.environment}: {promotion.state}{f' ({promotion.reason})' if promotion.reason else ''}"
        hold.tell(str(promotion.state), text, page=promotion.state is State.ROLLBACK_FAILED)
        if promotion.state is State.ROLLBACK_FAILED:
            self.ports.ledger.let_go(hold.lease)
        return self.clean(promotion) if promotion.state is State.COMMITTED else self._result(promotion, text)

    # --- afterwards

    def clean(self, promotion: Promotion) -> Result:
        """Take the version before away once it can no longer be rolled back to; before that, nothing happens."""
        done = self._result(promotion)
        if promotion.committed_at is None or self.ports.clock.now() < promotion.committed_at + self.policy.rollback_window:
            return done
        got = self.ports.ledger.acquire(promotion.id, self.holder, self.terms.lease)
        if isinstance(got, Busy):
            return done
        try:
            hold = self._enter(got)
            with self.ports.pulse(hold.beat):
                self.ports.around("clean", partial(self._clean, hold))
        except AquasceneError as exc:  # it is committed all the same; the next reconciliation tries again
            self.ports.ledger.let_go(got)
            return Result(done.promotion, done.code, f"committed, not cleaned yet: {exc}")
        return self._result(hold.promotion)

    def _clean(self, hold: Hold) -> None:
        target, colour = self.ports.target, hold.plan.colour
        newest = self.ports.ledger.get_environment(hold.promotion.environment).current_promotion == hold.promotion.id
        live = hold.read(target.observe).live()
        # A later promotion may use the other colour by now; then it is that one's to clean.
        if newest and hold.promotion.kind is not Kind.CONTRACT and live is not None and live.colour == colour and live.weight == 100:
            idle = other(colour)
            within = self.policy.deadlines.rollback
            hold.settle("clean", idle, lambda: not target.observe().of(idle).digest, lambda: target.remove(idle, hold.fence), within)
        hold.advance(State.CLEANED)

    def drift(self, *, with_flows: bool = True) -> list[drift.Drift]:
        """Compare the environment with the ledger; an environment that is being promoted to is not judged."""
        ledger = self.ports.ledger
        here, kept = ledger.get_environment(self.policy.environment), tuple(ledger.list_releases())
        if here.locked_by is not None:
            raise Conflict(f"{here.name} is being changed by promotion {here.locked_by}; look again when that has ended")
        world = planning.look_at(self.ports, self._patiently, with_flows=with_flows)
        current = planning.serving(here, kept, world) if here.current is not None else None
        return list(drift.of_everything(current, here.fence, world, [one.release.migrations.revisions for one in kept]))

    # --- small things

    def _patiently(self, read: Callable[[], T]) -> T:
        return patiently(self.ports.clock, self.ports.jitter, read, self.policy.deadlines.read)

    def _own_environment(self, promotion: Promotion) -> None:
        if promotion.environment != self.policy.environment:
            raise Conflict(f"promotion {promotion.id} is of {promotion.environment}, this engine is of {self.policy.environment}")

    def _result(self, promotion: Promotion, text: str = "") -> Result:
        return Result(promotion, exit_code(promotion.state, promotion.reason_code), text or promotion.reason)


def _stale(old: Plan | None, new: Plan, wanted: str) -> str:
    """Say why a plan hash is not that of the plan as it would be made now."""
    if old is None or old.hash != wanted:
        return f"the plan as of now has the hash {new.hash}, not {wanted}; read it and run that"
    return f"the world moved since the plan: {'; '.join(differences(old, new))}"
