"""How these commands are called."""

from pathlib import Path
from typing import Annotated

import typer

from server.cli.app import KEEP, app
from server.errors import InvalidArguments


@app.command("move", rich_help_panel=KEEP)
def move(
    context: typer.Context,
    old: Annotated[
        str | None, typer.Argument(metavar="OLD", help="the folder that it was, or the id of the workspace")
    ] = None,
    new: Annotated[str | None, typer.Argument(metavar="NEW", help="the folder that it is now")] = None,
    *,
    source: Annotated[
        Path | None, typer.Option("--from", help="the data root to move, if it is not the one of the settings")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would be done")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask")] = False,
) -> None:
    """Tell of a project folder that moved, or move the data root.

    move OLD NEW: the folder OLD is NEW now. move --data-root NEW, without the two: all data goes there.

    A folder's workspace, and those in it, keep their ids, plans and memory. The data root is copied, the copy compared
    and put in force, and the old one set aside, never deleted; `moved-to` stays in its place, and every start follows
    it.
    """
    if old is None and "data_root" in context.obj:
        from server.cli.moving import data_root

        raise typer.Exit(data_root.run(context.obj, source, dry_run=dry_run, yes=yes))
    if old is None or new is None or source:
        raise InvalidArguments("Give two folders, move OLD NEW; or the new data root alone, move --data-root NEW.")
    from server.cli.moving import folders

    raise typer.Exit(folders.run(old, new, context.obj, dry_run=dry_run, yes=yes))
