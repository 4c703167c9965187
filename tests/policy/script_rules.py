"""What a shell script of ours must not do, each rule by its name; shellcheck sees to the rest."""

import re
from collections.abc import Callable
from pathlib import Path

_CODE = re.compile(r"^\s*#.*$", re.MULTILINE)


def dead_rollback(text: str) -> bool:
    """`set -e` ends the script at the failing command, so a branch on `$?` behind it never runs."""
    return bool(re.search(r"^set -\w*e", text, re.MULTILINE) and re.search(r"if \[+ \$\? ", text))


def never_returns(text: str) -> bool:
    """Following logs at the end of a case: nothing after it happens."""
    return bool(re.search(r"\blogs (-f|--follow)\b", text))


def mutable_default(text: str) -> bool:
    """`latest` where no version is given: nobody can say what runs."""
    return bool(re.search(r":-latest\}", text))


def gone_program(text: str) -> bool:
    """docker-compose v1."""
    return bool(re.search(r"(?<![\w./-])docker-compose (?:-f|up|down|build|pull|logs|run|exec)\b", text))


def healthy_or_never(text: str) -> bool:
    """A deployment that is refused while the place is ill: then no repair can be brought out."""
    return bool(re.search(r"if ! curl .*health.*?exit 1", text, re.DOTALL))


def rewrites_every_image(text: str) -> bool:
    """A substitution over all manifests that matches every image line and makes them all one image."""
    return bool(re.search(r"sed -i .*image: \.\*.*\*", text))


def applies_everything(text: str) -> bool:
    """Applying a whole folder re-applies the Service before anything was checked, and so switches the traffic."""
    return bool(re.search(r"kubectl apply -f \S+/(\s|$)", text))


def burns_the_bridge(text: str) -> bool:
    """The old release is deleted as soon as the new one took over: no way back."""
    return bool(re.search(r"kubectl delete deployment \S*CURRENT", text))


def guesses_the_first_colour(text: str) -> bool:
    """A first run finds no current colour and goes on with an empty name."""
    return "spec.selector.color" in text and not re.search(r"-z \"?\$\{?CURRENT", text)


def unpinned_helper(text: str) -> bool:
    """A helper container by a name without version or digest."""
    return bool(re.search(r"--image=(?![^\s]*@sha256:)\S+", text))


RULES: dict[str, Callable[[str], bool]] = {
    rule.__name__.replace("_", "-"): rule
    for rule in (
        dead_rollback,
        never_returns,
        mutable_default,
        gone_program,
        healthy_or_never,
        rewrites_every_image,
        applies_everything,
        burns_the_bridge,
        guesses_the_first_colour,
        unpinned_helper,
    )
}


def missing_scripts(text: str, root: Path) -> set[str]:
    """Scripts of the repository that are called and do not exist."""
    return {name for name in re.findall(r"(?<![\w/])(?:\./)?(scripts/[\w./-]+\.(?:sh|py))", text) if not (root / name).exists()}


def broken(path: Path, root: Path) -> set[str]:
    """The names of the rules that a script breaks."""
    text = _CODE.sub("", path.read_text(encoding="utf-8"))
    found = {name for name, rule in RULES.items() if rule(text)}
    return found | ({"missing-script"} if missing_scripts(text, root) else set())
