"""How these commands are called."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from server.cli.app import SET_UP, AsJson, app


@app.command("setup", rich_help_panel=SET_UP)
def set_up(
    context: typer.Context,
    clients: Annotated[list[str] | None, typer.Argument(metavar="CLIENT", help="vscode, claude, codex, ...")] = None,
    *,
    all_: Annotated[bool, typer.Option("--all", help="every client that is found")] = False,
    scope: Annotated[Literal["user", "project"], typer.Option(help="your own files, or those of this folder")] = "user",
    name: Annotated[str, typer.Option(help="what the entry is called")] = "project-memory",
    remove: Annotated[bool, typer.Option("--remove", help="take the entry out")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show the exact change, and make none")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="start the server as each client would, on a new store")
    ] = False,
    instructions: Annotated[
        bool, typer.Option("--instructions", help="also put AGENTS.md, agents and skills into this folder")
    ] = False,
    http: Annotated[bool, typer.Option("--http", help="reach the server of `serve`, do not start one")] = False,
    url: Annotated[str | None, typer.Option(help="with --http: where it is, if it is not the one here")] = None,
    token: Annotated[str | None, typer.Option(help="with --http: what lets in; without it, one is made")] = None,
    token_env: Annotated[str | None, typer.Option(help="with --http: the variable that the client has it in")] = None,
    as_json: AsJson = False,
) -> None:
    """Put the server into your editors, or see how each stands.

    Without a CLIENT or --all it only says how each of them stands.

    Settings (--data-root DIR, --tools core, ...) go into the entry. Exit code: 0 all well, 1 something was not done.
    """
    from server.cli.setup import setup

    wanted = setup.Wish(
        clients or [], all_, scope, name, remove, dry_run=dry_run, check=check, instructions=instructions,
        http=http, url=url, token=token, token_env=token_env,
    )  # fmt: skip
    raise typer.Exit(setup.run(wanted, context.obj, as_json=as_json))


@app.command("demo", rich_help_panel=SET_UP)
def play_demo(
    context: typer.Context,
    plan: Annotated[
        Path | None, typer.Argument(metavar="PLAN", help="a Markdown checklist; without it, one that comes along")
    ] = None,
    keep: Annotated[Path | None, typer.Option(help="a new folder to leave the database and the project in")] = None,
) -> None:
    """Drive a real server through a plan, and kill it midway."""
    from server.cli import demo

    raise typer.Exit(demo.run(plan, keep, context.obj))
