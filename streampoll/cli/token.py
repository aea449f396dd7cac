"""`streampoll token`: tokens of the HTTP API."""

import asyncio
import json
import time
from pathlib import Path

import click

from streampoll.cli.options import Span, answer, config_option, json_option, number_argument
from streampoll.results.render import clock


@click.group("token")
def command() -> None:
    """Make and end tokens of the HTTP API. A token is shown once, and only its hash is kept.

    \b
    Examples:
      streampoll token create --role operator --name ops --expires 90d
      streampoll token list
      streampoll token revoke 3
    """


@command.command("create")
@config_option
@click.option("--role", type=click.Choice(["read", "operator"]), default="read", show_default=True,
              help="What it allows: to see, or to act too.")  # fmt: skip
@click.option("--name", default="", help="What lists and records call it.  [default: its role]")
@click.option("--expires", type=Span(), metavar="SPAN", help="After how long it ends: 90d, 12h.  [default: never]")
@json_option
def create(config: Path, role: str, name: str, expires: int | None, as_json: bool) -> int:
    """Make a token and print it, this once."""
    token, number = asyncio.run(_create(config, role, name or role, expires))
    answer(as_json, {"id": number, "name": name or role, "role": role, "token": token}, token)
    click.echo(f"token {number}, role {role}: it is not shown again", err=True)
    return 0


@command.command("list")
@config_option
@json_option
def list_tokens(config: Path, as_json: bool) -> int:
    """List the tokens that are not revoked."""
    rows = asyncio.run(_list(config))
    for row in rows:
        ends = f"expires {row['expires']}" if row["expires"] else "does not expire"
        line = f"{row['id']:>4}  {row['role']:<8}  {row['name']}  made {row['created']}, {ends}"
        click.echo(json.dumps(row) if as_json else line)
    if not rows and not as_json:
        click.echo("there are no tokens: only this host is served")
    return 0


@command.command("revoke")
@config_option
@number_argument
@json_option
def revoke(config: Path, number: int, as_json: bool) -> int:
    """End token NUMBER, within a few seconds. Exit code 1 if there is none."""
    name = asyncio.run(_revoke(config, number))
    text = f"token {number} ({name}) is revoked" if name else f"there is no token {number}; `streampoll token list`"
    answer(as_json, {"id": number, "name": name, "revoked": bool(name)}, text)
    return 0 if name else 1


async def _create(config: Path, role: str, name: str, life_s: int | None) -> tuple[str, int]:
    from streampoll.api.auth import digest_of, new_token  # here: `--help` need not load the clients
    from streampoll.app.control import open_desk
    from streampoll.results.control import Role

    token = new_token()
    async with open_desk(config) as desk:
        expires = int(time.time()) + life_s if life_s else 0
        number = await desk.control.create_token(name, Role(role), digest_of(token), expires)
    return token, number


async def _list(config: Path) -> list[dict[str, object]]:
    from streampoll.app.control import open_desk  # here: `--help` need not load the clients

    async with open_desk(config) as desk:
        return [
            {"id": each.id, "name": each.name, "role": each.role.value, "created": clock(each.created),
             "expires": clock(each.expires)}
            for each in await desk.control.tokens()
        ]  # fmt: skip


async def _revoke(config: Path, number: int) -> str | None:
    from streampoll.app.control import open_desk  # here: `--help` need not load the clients

    async with open_desk(config) as desk:
        return await desk.control.revoke_token(number)
