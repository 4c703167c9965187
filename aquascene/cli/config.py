"""`aquascene config`: which settings hold here, and where each comes from."""

from typing import Annotated, Any

import typer
from pydantic import BaseModel

from aquascene.adapters import settings
from aquascene.adapters.settings import Settings
from aquascene.cli.output import command, out, plain, print_json
from aquascene.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help="Check, show and explain the settings of the environment in ENVIRONMENT.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def flatten(model: BaseModel, prefix: str = "") -> dict[str, Any]:
    """Flatten settings into dotted keys; secrets stay hidden."""
    found: dict[str, Any] = {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        found |= flatten(value, f"{prefix}{name}.") if isinstance(value, BaseModel) else {f"{prefix}{name}": plain(value)}
    return found


@app.command()
@command
def check(json: Json = False) -> None:
    """Read the settings from all places; every error is shown at once."""
    environment = settings.load().environment
    print_json({"environment": environment, "valid": True}) if json else out.print(f"the settings of {environment} are valid")


@app.command()
@command
def show(json: Json = False) -> None:
    """Show every setting that holds; secrets are hidden."""
    values = flatten(settings.load())
    if json:
        print_json(values)
        return
    for key, value in values.items():
        out.print(f"{key} = {value!r}", markup=False)


@app.command()
@command
def explain(key: Annotated[str, typer.Argument(help="Dotted name, for example web.port.")], json: Json = False) -> None:
    """Say what a setting means, what it is here and where that comes from."""
    answer = _explain(key)
    if json:
        print_json(answer)
        return
    for name, value in answer.items():
        out.print(f"{name}: {value}", markup=False)


@app.command()
@command
def schema() -> None:
    """Print the JSON Schema of the settings."""
    print_json(Settings.model_json_schema())


def _explain(key: str) -> dict[str, Any]:
    values = flatten(settings.load())
    if key not in values:
        near = [name for name in values if key.split(".")[-1] in name]
        raise ConfigError(f"there is no setting {key!r}" + (f"; did you mean {', '.join(near[:3])}?" if near else "; `aquascene config show` lists them"))
    field = _field(key)
    return {"key": key, "means": field.description, "value": values[key], "from": _origin(key), "variable": key.upper().replace(".", "__")}


def _field(key: str) -> Any:
    model: Any = Settings
    *groups, last = key.split(".")
    for group in groups:
        model = model.model_fields[group].annotation
    return model.model_fields[last]


def _origin(key: str) -> str:
    """Name the place that wins: the order is that of `settings.load`."""
    import os

    if key.upper().replace(".", "__") in os.environ:
        return "environment variable"
    for place, values in (("secret file", settings.secret_values()), ("configuration files", settings.yaml_values())):
        node: Any = values
        for part in key.split("."):
            node = node.get(part) if isinstance(node, dict) else None
        if node is not None:
            return place
    return "default"
