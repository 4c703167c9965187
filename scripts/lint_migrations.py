"""Refuse migrations that lock a table for long, break the release that runs beside them, or cannot be printed.

There are two lines of revisions, that of the product and that of the promotion ledger. The first of each is history: it
ran on an empty database. Every later one is printed as SQL (`alembic upgrade
a:b --sql`) and read by squawk with .squawk.toml; what SQL alone cannot tell is checked by the rules below.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from alembic import command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory

ROOT = Path(__file__).resolve().parent.parent
BASELINE = "0001"
LINES = {ROOT / "migrations": BASELINE, ROOT / "migrations" / "ledger": "l0001"}
# What a contracting revision is for; an expanding one may not do it.
TAKES_AWAY = ("ban-drop-column", "ban-drop-table", "ban-drop-not-null")
_TIMEOUTS_OFF = re.compile(r"\b(?:SET|set_config)\b[^;]*\b(lock_timeout|statement_timeout)\b[^;]*?(?:=|TO|,)\s*'?0", re.IGNORECASE)
_VERSION = re.compile(r"UPDATE \S+ SET version_num=")
_SET = re.compile(r"^SET (lock_timeout|statement_timeout) = '[1-9]\d*(?:ms|s)'", re.MULTILINE)


class Finding(NamedTuple):
    """What is wrong with which revision."""

    revision: str
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.revision}: {self.rule}: {self.text}"


def config(migrations: Path) -> Config:
    """Build Alembic's configuration for a folder of migrations."""
    made = Config()
    made.set_main_option("script_location", str(migrations))
    return made


def new_revisions(scripts: ScriptDirectory, baseline: str) -> list[Script]:
    """Revisions after the baseline, oldest first."""
    return [*takewhile(lambda script: script.revision != baseline, scripts.walk_revisions())][::-1]


def printed(migrations: Path, script: Script) -> str:
    """The SQL of one revision, with the timeouts that hold while it runs."""
    made = config(migrations)
    made.output_buffer = buffer = StringIO()
    command.upgrade(made, f"{script.down_revision or 'base'}:{script.revision}", sql=True)
    return buffer.getvalue()


def shape(script: Script) -> Iterator[Finding]:
    """What the module must say: its phase, and that it only goes forward."""
    if getattr(script.module, "phase", None) not in ("expand", "contract"):
        yield Finding(script.revision, "phase-missing", 'say phase = "expand" or phase = "contract"')
    if script.is_merge_point or script.is_branch_point:
        yield Finding(script.revision, "not-one-line", "revisions form one line; give this one the present head as down_revision")
    try:
        script.module.downgrade()
    except RuntimeError:
        return
    except Exception as exc:  # noqa: BLE001 -- whatever it does there, it is not the refusal
        yield Finding(script.revision, "downgrade-present", f"downgrade() must raise RuntimeError and do nothing else ({type(exc).__name__})")
        return
    yield Finding(script.revision, "downgrade-present", "migrations only go forward: downgrade() must raise RuntimeError")


def behaviour(script: Script, sql: str) -> Iterator[Finding]:
    """What the printed SQL must have beyond squawk's rules."""
    body = sql.split(f"-> {script.revision}", 1)[-1]
    done = [line for line in body.splitlines() if line.strip() and not line.startswith(("--", "COMMIT")) and not _VERSION.match(line)]
    if not done:
        yield Finding(script.revision, "does-nothing", "upgrade() runs no statement")
    if {match.group(1) for match in _SET.finditer(sql.split("BEGIN", 1)[0])} != {"lock_timeout", "statement_timeout"}:
        yield Finding(script.revision, "no-timeouts", "migrations/env.py must set lock_timeout and statement_timeout before the first transaction")
    if _TIMEOUTS_OFF.search(body):
        yield Finding(script.revision, "timeouts-off", "a revision must not switch lock_timeout or statement_timeout off")
    if "BEGIN;" not in sql or not sql.rstrip().endswith("COMMIT;"):
        yield Finding(script.revision, "no-transaction", "migrations/env.py must configure transaction_per_migration")


def squawked(script: Script, sql: str) -> Iterator[Finding]:
    """What squawk says about the SQL; taking away is for contracting revisions."""
    allowed = TAKES_AWAY if getattr(script.module, "phase", None) == "contract" else ()
    ran = subprocess.run(
        [squawk(), "--config", str(ROOT / ".squawk.toml"), "--reporter", "json", "--stdin-filepath", f"{script.revision}.sql"],
        input=sql,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode not in (0, 1) or not ran.stdout.strip():
        raise SystemExit(f"squawk failed with code {ran.returncode}: {ran.stderr.strip()}")
    for entry in json.loads(ran.stdout):
        if entry["rule_name"] not in allowed:
            yield Finding(script.revision, entry["rule_name"], f"{entry['message']} {entry.get('help') or ''}".strip())


def squawk() -> str:
    """Find squawk beside this Python, in .venv-tools, or on PATH."""
    for place in (Path(sys.executable).parent / "squawk", ROOT / ".venv-tools" / "bin" / "squawk"):
        if place.exists():
            return str(place)
    found = shutil.which("squawk")
    if found is None:
        raise SystemExit("squawk is not installed; run `make .venv-tools/.done`")
    return found


def lint(migrations: Path, baseline: str = BASELINE) -> list[Finding]:
    """Every finding in the revisions after the baseline."""
    scripts = ScriptDirectory(str(migrations))
    if len(scripts.get_heads()) != 1:
        return [Finding("heads", "not-one-line", f"there must be one head, there are {len(scripts.get_heads())}")]
    found: list[Finding] = []
    for script in new_revisions(scripts, baseline):
        found += shape(script)
        try:
            sql = printed(migrations, script)
        except Exception as exc:  # noqa: BLE001 -- a revision is code: it may fail in any way
            found.append(Finding(script.revision, "not-printable", f"`upgrade --sql` fails: {type(exc).__name__}: {exc}; it must not read rows"))
            continue
        found += [*behaviour(script, sql), *squawked(script, sql)]
    return found


def main() -> int:
    """Print the findings; exit 1 when there are any."""
    found = [finding for migrations, baseline in LINES.items() for finding in lint(migrations, baseline)]
    print("\n".join(map(str, found)) or f"migrations after {', '.join(LINES.values())} are sound")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
