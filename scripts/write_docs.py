"""Write the generated parts of the docs, or with --check: fail where they are stale or a link leads nowhere."""

import json
import re
import sys
from pathlib import Path

from aquascene.adapters.settings import Settings
from aquascene.cli.settings_docs import markdown, yaml_schema

ROOT = Path(__file__).resolve().parent.parent
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def generated() -> dict[Path, str]:
    """Every generated file with the text that it should have."""
    schema = json.dumps(yaml_schema(Settings), indent=2, ensure_ascii=False) + "\n"
    return {ROOT / "docs" / "configuration.md": markdown(Settings), ROOT / "config" / "schema.json": schema}


def broken_links() -> list[str]:
    """Relative links in Markdown files whose target is missing."""
    found = []
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in _LINK.findall(page.read_text(encoding="utf-8")):
            if "://" not in target and not target.startswith("mailto:") and not (page.parent / target).exists():
                found.append(f"{page.relative_to(ROOT)}: {target}")
    return found


def main() -> int:
    """Write, or check and exit 1 with every finding."""
    if "--check" not in sys.argv[1:]:
        for path, text in generated().items():
            path.write_text(text, encoding="utf-8")
        return 0
    stale = [path for path, text in generated().items() if not path.exists() or path.read_text("utf-8") != text]
    findings = [f"stale, run `make docs`: {path.relative_to(ROOT)}" for path in stale]
    findings += [f"broken link in {link}" for link in broken_links()]
    print("\n".join(findings) or "docs are current, every link resolves")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
