"""Tell Slack how a deployment ended, from the results of the jobs that did it.

    NEEDS='${{ toJSON(needs) }}' SLACK_WEBHOOK_URL=... python scripts/notify_slack.py --what "v1.2.0" --url https://...

NEEDS is what GitHub says about the jobs before: {"staging": {"result": "success"}, ...}. The status of the notifying job
itself says nothing. A message that cannot be sent is a warning and never an error: it must not turn a deployment red.
The webhook's address is a secret and is never printed.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable

import httpx

SIGN = {"success": ":white_check_mark:", "failure": ":x:", "cancelled": ":no_entry_sign:", "skipped": ":fast_forward:"}
# Not "failed": a promotion that waits for an approval ends its job, too.
VERB = {"success": "is out", "failure": "is not out", "cancelled": "was cancelled", "skipped": "was not started"}
ATTEMPTS = 3
_RETRIED = {429, 500, 502, 503, 504}


def results(needs: str) -> dict[str, str]:
    """Read the result of each job before; ValueError where the text is not what GitHub writes."""
    jobs = json.loads(needs)
    if not isinstance(jobs, dict) or not jobs:
        raise ValueError("NEEDS holds no job")
    found = {str(name): job["result"] for name, job in jobs.items() if isinstance(job, dict) and job.get("result") in SIGN}
    if len(found) != len(jobs):
        raise ValueError("NEEDS has a job without a known result")
    return found


def overall(found: dict[str, str]) -> str:
    """The worst that happened; a skipped job beside a successful one is no failure."""
    present = set(found.values())
    return next(status for status in ("failure", "cancelled", "success", "skipped") if status in present)


def message(what: str, url: str, found: dict[str, str]) -> str:
    """One line that says it, one line per job, and the way to the log; in Slack's markup."""
    status = overall(found)
    lines = [f"{SIGN[status]} *{_escaped(what)}* {VERB[status]}"]
    lines += [f"{SIGN[result]} {_escaped(name)}: {result}" for name, result in found.items()]
    return "\n".join([*lines, f"<{_escaped(url)}|log of the run>"])


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def send(webhook: str, text: str, sleep: Callable[[float], None] = time.sleep) -> str | None:
    """Post the message, again where that may help; returns what went wrong, without the address."""
    problem = "not tried"
    for attempt in range(ATTEMPTS):
        if attempt:
            sleep(2.0**attempt)
        try:
            answer = httpx.post(webhook, json={"text": text}, timeout=10)
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            problem = type(exc).__name__  # its text holds the address
            continue
        if answer.is_success:
            return None
        problem = f"Slack answered {answer.status_code}"
        if answer.status_code not in _RETRIED:
            break
    return problem


def main() -> int:
    """Send the message; exit 0 whether it arrives or not, 2 where the arguments are wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--what", required=True, help="what was deployed, e.g. v1.2.0")
    parser.add_argument("--url", required=True, help="address of the run's log")
    options = parser.parse_args()
    try:
        text = message(options.what, options.url, results(os.environ.get("NEEDS", "")))
    except ValueError as exc:
        print(f"cannot read NEEDS: {exc}", file=sys.stderr)
        return 2
    webhook = os.environ.get("SLACK_WEBHOOK_URL", "")
    problem = send(webhook, text) if webhook else "no webhook is set"
    print(text if problem is None else f"::warning title=Slack::not notified: {problem}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
