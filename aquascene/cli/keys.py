"""`aquascene keys`: create, list and revoke API keys."""

import secrets
from typing import Annotated

import typer

from aquascene.adapters.clock import now
from aquascene.adapters.postgres import accounts, audit
from aquascene.adapters.postgres.db import transaction
from aquascene.cli.output import command, out, print_json, say
from aquascene.editorial import keys
from aquascene.editorial.roles import Role

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)

_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("create")
@command
def create(
    name: Annotated[str, typer.Argument(help="Name of the account; it stands in the record of what the key does.")],
    role: Annotated[Role, typer.Option("--role", help="What the key may do; each role may do what those before it may.")] = Role.EDITOR,
    as_json: _Json = False,
) -> None:
    """Make a key for an account, which is made where it is missing. The key is shown this once."""
    prefix, secret = secrets.token_hex(5), secrets.token_urlsafe(32)
    with transaction() as db:
        made = accounts.add_key(db, name, role, prefix, secret)
        audit.record(db, "cli", "key_created", "account", made.account_id, prefix=prefix, role=str(role))
    key = keys.compose(prefix, secret)
    if as_json:
        print_json({"key": key, "name": name, "role": str(role), "prefix": prefix})
        return
    say("keep this key; only its hash is stored and it is not shown again")
    out.print(key, markup=False)


@app.command("list")
@command
def list_keys(as_json: _Json = False) -> None:
    """List the keys of active accounts without their secrets."""
    with transaction() as db:
        found = accounts.list_keys(db)
    rows = [{"prefix": key.prefix, "name": key.name, "role": key.role, "created_at": key.created_at, "usable": key.usable(now())} for key in found]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        out.print(f"{row['prefix']:<12} {row['name']:<24} {row['role']:<10} {'usable' if row['usable'] else 'ended'}", markup=False)


@app.command("revoke")
@command
def revoke(prefix: Annotated[str, typer.Argument(help="The part of the key between aq_ and the next _.")], as_json: _Json = False) -> None:
    """End a key, and with it its tokens and sessions, at once."""
    with transaction() as db:
        ended = accounts.revoke(db, prefix, now())
        audit.record(db, "cli", "key_revoked", "account", ended.account_id, prefix=prefix)
    if as_json:
        print_json({"prefix": prefix, "name": ended.name, "revoked_at": ended.revoked_at})
        return
    out.print(f"revoked {prefix} of {ended.name}", markup=False)
