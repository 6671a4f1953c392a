"""How these commands are called."""

from pathlib import Path
from typing import Annotated

import typer

from server.cli.app import app


@app.command("demo")
def play_demo(
    context: typer.Context,
    plan: Annotated[Path | None, typer.Argument(help="a Markdown checklist; without it, one that comes along")] = None,
    keep: Annotated[Path | None, typer.Option(help="a new folder to leave the database and the project in")] = None,
) -> None:
    """Drive a real server through a plan, kill it on the way, and print how to set up your editor."""
    from server.cli import demo

    raise typer.Exit(demo.run(plan, keep, context.obj))
