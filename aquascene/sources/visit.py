"""The look at one URL: robots, a turn at the host, the request, its redirects. Decides over ports; touches nothing itself."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from aquascene.sources import robots
from aquascene.sources.model import Answer, FetchOutcome, Hop, Outcome, RobotsRecord, Source, Validators
from aquascene.sources.politeness import pause_seconds
from aquascene.sources.ports import Fetcher, Hosts
from aquascene.sources.urls import host_of, in_scope, normalise, origin_of, same_site

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ROBOTS_REDIRECTS = 5  # RFC 9309, section 2.3.1.2
_ROBOTS_OUTCOMES = {Outcome.UNSAFE_ADDRESS, Outcome.POSTPONED}


@dataclass(frozen=True)
class Manners:
    """How we behave towards hosts."""

    user_agent: str
    requests_per_second: float
    timeout_seconds: float
    max_redirects: int
    robots_ttl: timedelta
    longest_wait_seconds: float = 60.0


@dataclass(frozen=True)
class Visitor:
    """Looks at URLs for one run."""

    fetcher: Fetcher
    hosts: Hosts
    manners: Manners
    clock: Callable[[], datetime]

    def visit(self, url: str, source: Source, validators: Validators | None = None) -> FetchOutcome:
        """Fetch one URL through its redirects; every hop is checked against scope, robots.txt and the address guard."""
        hops: list[Hop] = []
        spent, asked_again, at = 0.0, False, url
        while True:
            answer = self._request(at, source, validators or Validators(), self.manners.timeout_seconds - spent)
            spent += answer.elapsed_seconds
            if answer.refusal is None and answer.retry_after_seconds is not None and not asked_again:
                asked_again = True  # one more try, if the host's wish is short enough to wait for
                continue
            target = normalise(answer.location, at) if answer.status in _REDIRECTS and answer.location else None
            if target is None:
                return _ended(url, at, answer, hops)
            hops.append(Hop(url=at, status=answer.status))
            at = target
            if refusal := self._hop_refusal(target, source, hops):
                return replace(_ended(url, target, Answer(target), hops), outcome=refusal[0], detail=refusal[1])

    def _hop_refusal(self, target: str, source: Source, hops: list[Hop]) -> tuple[Outcome, str] | None:
        if len(hops) > self.manners.max_redirects:
            return Outcome.TOO_MANY_REDIRECTS, f"more than {self.manners.max_redirects} redirects"
        is_elsewhere = not in_scope(target, source.allow, source.deny) and not same_site(target, hops[0].url)
        # An address that must not be dialled is reported as such; the guard says so when it is asked for.
        return (Outcome.OUT_OF_SCOPE, f"redirects to {target}, which the source does not cover") if is_elsewhere and not _is_literal(target) else None

    def _request(self, url: str, source: Source, validators: Validators, seconds_left: float) -> Answer:
        if seconds_left <= 0:
            return Answer(url, refusal=Outcome.TOO_SLOW, detail=f"longer than {self.manners.timeout_seconds:g} s in all")
        rules = self._rules(url, source)
        if isinstance(rules, Answer):
            return rules
        if not rules.allows(url):
            return Answer(url, refusal=Outcome.UNREACHABLE if rules.barred else Outcome.DISALLOWED, detail=rules.barred or "robots.txt disallows it")
        return self._ask(url, source, validators, seconds_left, rules.crawl_delay_seconds)

    def _rules(self, url: str, source: Source) -> robots.RobotsRules | Answer:
        record = self.hosts.robots(host_of(url))
        if record is None or robots.is_stale(record, self.clock(), self.manners.robots_ttl):
            answer = self._ask_robots(url, source)
            if answer.refusal in _ROBOTS_OUTCOMES:
                return replace(answer, url=url, detail=f"robots.txt: {answer.detail}")
            record = RobotsRecord(answer.body[: robots.MAX_BYTES], answer.status if answer.refusal is None else 0, self.clock())
            read = robots.rules(record, self.manners.user_agent)
            self.hosts.keep_robots(host_of(url), replace(record, crawl_delay_seconds=read.crawl_delay_seconds))
            if answer.refusal is not None:
                return Answer(url, refusal=Outcome.UNREACHABLE, detail=f"{host_of(url)}: {answer.detail}")
            return read
        return robots.rules(record, self.manners.user_agent)

    def _ask_robots(self, url: str, source: Source) -> Answer:
        at = f"{origin_of(url)}/robots.txt"
        for _ in range(_ROBOTS_REDIRECTS + 1):
            answer = self._ask(at, source, Validators(), self.manners.timeout_seconds, None)
            target = normalise(answer.location, at) if answer.status in _REDIRECTS and answer.location else None
            if target is None:
                return answer
            at = target
        return answer

    def _ask(self, url: str, source: Source, validators: Validators, timeout_seconds: float, crawl_delay_seconds: float | None) -> Answer:
        host = host_of(url)
        if not self.hosts.take_turn(host, self.manners.longest_wait_seconds):
            return Answer(url, refusal=Outcome.POSTPONED, detail=f"{host} wants to be left alone for longer than {self.manners.longest_wait_seconds:g} s")
        pause = pause_seconds(self.manners.requests_per_second, source.requests_per_second, crawl_delay_seconds)
        try:
            answer = self.fetcher.get(url, validators, timeout_seconds)
            pause = max(pause, answer.retry_after_seconds or 0.0)
        finally:
            self.hosts.end_turn(host, pause)
        return answer


def _ended(url: str, final_url: str, answer: Answer, hops: list[Hop]) -> FetchOutcome:
    outcome, detail = _judge(answer)
    return FetchOutcome(
        url=url,
        outcome=outcome,
        final_url=final_url,
        status=answer.status,
        body=answer.body if outcome is Outcome.FETCHED else b"",
        content_type=answer.content_type,
        etag=answer.etag,
        last_modified=answer.last_modified,
        redirects=tuple(hops),
        detail=detail,
    )


def _judge(answer: Answer) -> tuple[Outcome, str]:
    if answer.refusal is not None:
        return answer.refusal, answer.detail
    if answer.retry_after_seconds is not None:
        return Outcome.POSTPONED, f"answered {answer.status}; asks to be left alone for {answer.retry_after_seconds:g} s"
    if answer.status == 304:
        return Outcome.NOT_MODIFIED, ""
    if answer.status in (404, 410):
        return Outcome.GONE, f"answered {answer.status}"
    if answer.status == 200:
        return (Outcome.FETCHED, "") if answer.body else (Outcome.FAILED, "answered 200 with nothing")
    return Outcome.FAILED, f"answered {answer.status}"


def _is_literal(url: str) -> bool:
    host = host_of(url).rpartition(":")[0]
    return ":" in host or host.replace(".", "").isdigit() or host.startswith("0x") or host == "localhost"
