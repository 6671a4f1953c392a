"""How these commands are called."""

from pathlib import Path
from typing import Annotated

import typer

from server.cli.app import KEEP, AsJson, app

FindingName = Annotated[str, typer.Argument(metavar="NAME", help="the name of a finding, as `check` tells it")]


@app.command("check", rich_help_panel=KEEP)
def look_at_everything(
    context: typer.Context,
    *,
    deep: Annotated[
        bool, typer.Option("--deep", help="read every byte and value, count again what is counted")
    ] = False,
    only: Annotated[str | None, typer.Option("--only", metavar="NAME", help="look for findings of one name")] = None,
    as_json: AsJson = False,
) -> None:
    """Look whether the store is sound; nothing is written. Exit code: 0 sound, 1 warnings, 2 errors."""
    from server.cli.upkeep import check

    raise typer.Exit(check.run(context.obj, deep=deep, only=only, as_json=as_json))


@app.command("repair", rich_help_panel=KEEP)
def mend_one_finding(
    context: typer.Context,
    name: FindingName,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would be done")] = False,
) -> None:
    """Mend what `check` found under a name, after a backup. Exit code: 0 mended, 1 something of it is left."""
    from server.cli.upkeep import repair

    raise typer.Exit(repair.run(context.obj, name, dry_run=dry_run))


@app.command("backup", rich_help_panel=KEEP)
def make_backup(
    context: typer.Context,
    destination: Annotated[
        Path | None, typer.Argument(metavar="DEST", help="a folder, or a new file that ends in .db")
    ] = None,
    *,
    keep: Annotated[int | None, typer.Option("--keep", min=1, help="keep only so many of those in its folder")] = None,
    list_: Annotated[bool, typer.Option("--list", help="show the backups that there are, and make none")] = False,
    as_json: AsJson = False,
) -> None:
    """Copy the database while agents work, and check the copy.

    Without DEST it goes into the data root.
    """
    from server.cli.upkeep import backup

    if list_:
        raise typer.Exit(backup.list_(context.obj, destination, as_json=as_json))
    raise typer.Exit(backup.run(context.obj, destination, keep, as_json=as_json))


@app.command("restore", rich_help_panel=KEEP)
def restore_backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="a backup, or the name of one in the data root")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would change")] = False,
) -> None:
    """Put a backup in the place of the database.

    The present one is saved first. A code that is shown has to be typed back.
    """
    from server.cli.upkeep import restore

    raise typer.Exit(restore.run(context.obj, file, dry_run=dry_run))


@app.command("trim", rich_help_panel=KEEP)
def remove_what_outlived_its_time(
    context: typer.Context,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would go")] = False,
) -> None:
    """Remove what is older than the settings allow.

    The retention.* settings (`config list`) say what; nothing that lives goes, and agents may work meanwhile.
    """
    from server.cli.upkeep import trim

    raise typer.Exit(trim.run(context.obj, dry_run=dry_run))


@app.command("compact", rich_help_panel=KEEP)
def give_space_back(
    context: typer.Context,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="until no server uses the database")] = False,
) -> None:
    """Write the database anew without unused space.

    No server may use it meanwhile. Exit code: 75 in use.
    """
    from server.cli.upkeep import compact

    raise typer.Exit(compact.run(context.obj, wait=wait))
