"""Print how long functions and files are: a report for people, never a gate.

Function lengths count whole functions with their docstrings, over code that is not a test.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("aquascene", "flows", "tasks", "blocks", "deployments", "scripts")
LONG_FILE = 500
LONG_FUNCTION = 60


def python_files() -> list[Path]:
    """Every Python file of the product."""
    return sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def functions(path: Path) -> Iterator[tuple[int, str]]:
    """Length and place of every function in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield (node.end_lineno or node.lineno) - node.lineno + 1, f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"


def line(name: str, lengths: list[int]) -> str:
    """One line of the report."""
    ninetieth = quantiles(lengths, n=10)[-1] if len(lengths) > 1 else lengths[0]
    return f"{name:<22}{len(lengths):>6}{median(lengths):>9.0f}{ninetieth:>7.0f}{max(lengths):>7}"


def main() -> int:
    """Print the report."""
    files = [(len(path.read_text(encoding="utf-8").splitlines()), path) for path in python_files()]
    found = [entry for path in python_files() for entry in functions(path)]
    print(f"{'lengths in lines':<22}{'count':>6}{'median':>9}{'p90':>7}{'max':>7}")
    print(line("files", [length for length, _ in files]))
    print(line("functions", [length for length, _ in found]))
    for kind in ("flows", "tasks"):
        own = [length for length, place in found if place.startswith(f"{kind}/")]
        if own:
            print(line(f"functions in {kind}/", own))
    for length, path in sorted(files, reverse=True):
        if length > LONG_FILE:
            print(f"file over {LONG_FILE}: {path.relative_to(ROOT)} ({length})")
    for length, place in sorted(found, reverse=True):
        if length > LONG_FUNCTION:
            print(f"function over {LONG_FUNCTION}: {place} ({length})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
