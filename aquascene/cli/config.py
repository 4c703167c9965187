"""`aquascene config`: which settings hold here, where each comes from, and whether they may hold."""

import difflib
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from aquascene.adapters import settings
from aquascene.adapters.settings import Settings
from aquascene.adapters.settings_fields import is_secret, leaves, nested, shown, values_of, variable_of
from aquascene.adapters.settings_groups import Environment
from aquascene.adapters.settings_places import Place, holders
from aquascene.adapters.settings_report import Report, inspect
from aquascene.cli.output import EXIT_INCOMPLETE, EXIT_INPUT, command, err, out, print_json
from aquascene.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help="Check, show, explain and compare settings; secrets are never shown.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Named = Annotated[Environment | None, typer.Option("--environment", help="Another environment than that of ENVIRONMENT.")]


def flatten(config: Settings) -> dict[str, Any]:
    """Flatten settings into dotted keys; secrets and passwords in URLs stay hidden."""
    return {key: shown(value, is_secret(leaves(Settings)[key])) for key, value in values_of(config).items()}


@app.command()
@command
def check(
    environment: Named = None,
    without_secrets: Annotated[bool, typer.Option("--without-secrets", help="Read no secret; rules that need one are listed as not checked.")] = False,
    json: Json = False,
) -> int:
    """Read the settings from all places and judge them; every error and broken rule is shown at once (exit 2)."""
    report = inspect(environment, extent="without-secrets" if without_secrets else "all")
    if json:
        errors = [{"code": one.code, "key": one.key, "message": one.message, "stops": one.stops} for one in report.findings]
        print_json({"environment": report.environment, "valid": not errors, "errors": errors, "unchecked": report.unchecked})
        return EXIT_INPUT if errors else 0
    if report.unchecked:
        err.print(f"not checked, because what they are about is not set here: {', '.join(report.unchecked)}", markup=False)
    if report.findings:
        raise ConfigError(settings.refusal(report.environment, _lines(report)))
    out.print(f"the settings of {report.environment} are valid")
    return 0


def _lines(report: Report) -> list[str]:
    told = ", ".join(finding.code for finding in report.findings if not finding.stops)
    return [*(str(finding) for finding in report.findings), *([f"(in {report.environment} these stop no process: {told})"] if told else [])]


@app.command()
@command
def show(environment: Named = None, json: Json = False) -> int:
    """Show every setting that holds; exit 1 where a process would not start with them."""
    report = inspect(environment)
    if report.settings is None:
        raise ConfigError(settings.refusal(report.environment, _lines(report)))
    values = flatten(report.settings)
    if json:
        print_json(values)
    else:
        for key, value in values.items():
            out.print(f"{key} = {value!r}", markup=False)
    if report.findings:
        err.print(f"{len(report.findings)} findings; `aquascene config check` names them", markup=False)
    return EXIT_INCOMPLETE if report.findings else 0


@app.command()
@command
def explain(
    key: Annotated[str, typer.Argument(help="Dotted name, for example web.port.")],
    environment: Named = None,
    json: Json = False,
) -> None:
    """Say what a setting means, what it is here, which place that comes from, and which places lose."""
    answer = _explain(key, environment)
    if json:
        print_json(answer)
        return
    for name in ("key", "means", "variable", "value", "from"):
        out.print(f"{name}: {answer[name]}", markup=False)
    out.print("places, strongest first:")
    for place in answer["places"]:
        out.print(f"  {'wins ' if place['wins'] else 'loses'} {place['place']}: {place['value']!r}", markup=False)


@app.command()
@command
def diff(
    a: Annotated[Environment, typer.Argument(help="One environment.")],
    b: Annotated[Environment, typer.Argument(help="The other.")],
    json: Json = False,
) -> None:
    """Compare the files of two environments setting by setting; variables and secret files are left out."""
    one, other = _of_files(a), _of_files(b)
    keys = [key for key in one if key != "environment" and one[key] != other[key]]
    differences = {key: {str(name): _hidden(key, values[key]) for name, values in ((a, one), (b, other))} for key in keys}
    if json:
        print_json({"environments": [a, b], "differences": differences})
        return
    for key, sides in differences.items():
        out.print(f"{key}: {' -> '.join(f'{name} {value!r}' for name, value in sides.items())}", markup=False)
    if not differences:
        out.print(f"{a} and {b} have the same settings in their files")


@app.command()
@command
def schema() -> None:
    """Print the JSON Schema of the configuration files."""
    from aquascene.cli.settings_docs import yaml_schema

    print_json(yaml_schema(Settings))


def _of_files(environment: Environment) -> dict[str, Any]:
    report = inspect(environment, extent="files")
    if report.settings is None:
        raise ConfigError(settings.refusal(environment, _lines(report)))
    return values_of(report.settings)


def _hidden(key: str, value: Any) -> Any:
    return shown(value, is_secret(leaves(Settings)[key]))


def _explain(key: str, environment: Environment | None) -> dict[str, Any]:
    field = leaves(Settings).get(key)
    if field is None:
        near = difflib.get_close_matches(key, leaves(Settings), 3) or [known for known in leaves(Settings) if key.split(".")[-1] in known][:3]
        raise ConfigError(f"there is no setting {key!r}; " + (f"did you mean {', '.join(near)}?" if near else "`aquascene config show` lists them"))
    places = _placed(key, inspect(environment).places, field.get_default(call_default_factory=True))
    winner = next(place for place in places if place["wins"])
    return {
        "key": key,
        "means": field.description,
        "variable": variable_of(key),
        "value": winner["value"],
        "from": winner["place"],
        "places": places,
    }


def _placed(key: str, places: list[Place], default: Any) -> list[dict[str, Any]]:
    """Every place that says something about a key, strongest first; where the strongest removes the key, the default wins."""
    found = [(place.name, nested(place.values, key)) for place in holders(places, key)]
    removed = bool(found) and found[0][1] is None
    listed = [{"place": f"{name} (removes it)" if value is None else name, "value": _hidden(key, _typed(key, value)), "wins": False} for name, value in found]
    listed.append({"place": "default", "value": _hidden(key, default), "wins": False})
    listed[-1 if removed else 0]["wins"] = True
    return listed


def _typed(key: str, value: Any) -> Any:
    """Read a text as the setting does; what it cannot read stays as it was written."""
    try:
        kind: Any = leaves(Settings)[key].annotation
        return TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return value
