"""How these commands are called."""

from pathlib import Path
from typing import Annotated

import typer

from server.cli.app import FILES, KEEP, AsJson, app
from server.settings import Flags

AsLayout = Annotated[str | None, typer.Option("--as", help="the only layout to look for, such as beads")]
ReportFile = Annotated[Path | None, typer.Option("--report", help="a file for every line of the report, as JSON")]


@app.command("import", rich_help_panel=FILES)
def import_store(
    context: typer.Context,
    path: Annotated[
        Path,
        typer.Argument(metavar="PATH", help="a project, a data root, a folder of it, or a file of another program"),
    ],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would be done")] = False,
    workspace_path: Annotated[str | None, typer.Option(help="where the project is now, if it moved")] = None,
    layout: AsLayout = None,
    with_secrets: Annotated[
        bool, typer.Option("--with-secrets", help="keep tokens and passwords that are blanked out else")
    ] = False,
    on_conflict: Annotated[
        str, typer.Option(help="what counts if both sides changed: merge (ours), overwrite (theirs), rename (both)")
    ] = "merge",
    report: ReportFile = None,
    as_json: AsJson = False,
) -> None:
    """Take over an older store, or that of another program. Exit code: 0 clean, 3 with problems, 2 nothing imported."""
    from server.cli.stores import import_
    from server.importers.run import Options

    options = Options(dry_run, workspace_path, layout, with_secrets, import_.conflict(on_conflict))
    raise typer.Exit(import_.run(path, options, report, as_json, context.obj))


@app.command("verify", rich_help_panel=FILES)
def verify_store(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="the store that was imported")],
    *,
    layout: AsLayout = None,
    with_secrets: Annotated[bool, typer.Option("--with-secrets", help="if it was imported so")] = False,
    report: ReportFile = None,
    as_json: AsJson = False,
) -> None:
    """Compare an imported store with what is there now. Exit code: 0 GREEN, equal field by field; 1 YELLOW,
    changed since on either side; 2 RED, not as it was, or no store.
    """
    from server.cli.stores import verify
    from server.importers.run import Options

    options = Options(layout=layout, with_secrets=with_secrets)
    raise typer.Exit(verify.run(path, options, report, as_json, context.obj))


@app.command("export", rich_help_panel=FILES)
def export_all(
    context: typer.Context,
    destination: Annotated[Path, typer.Argument(metavar="DEST", help="a new or empty folder")],
    *,
    format: Annotated[
        str, typer.Option(help="json (lossless documents), markdown (pages), or the files of a store: legacy, ...")
    ] = "json",
    plan: Annotated[str | None, typer.Option(help="the id of the only plan to export")] = None,
    force: Annotated[bool, typer.Option("--force", help="write into a folder that is not empty")] = False,
    as_json: AsJson = False,
) -> None:
    """Write everything, or --workspace, or --plan, as files.

    JSON documents, Markdown pages, or the files of the store that was imported.
    """
    from server.cli.stores import export

    flags: Flags = context.obj
    wanted = export.ExportRequest(destination, format, flags.get("workspace"), plan, force)
    raise typer.Exit(export.run(wanted, flags, as_json=as_json))


@app.command("mirror", rich_help_panel=FILES)
def write_mirror(
    context: typer.Context,
    *,
    check: Annotated[
        bool, typer.Option("--check", help="compare it with the database, and print what differs")
    ] = False,
    format: Annotated[
        str | None, typer.Option(help="begin one in the files of another program, such as vibe-agency")
    ] = None,
) -> None:
    """Write the mirror (--mirror DIR) now. Exit code: 0 like the database, 1 different or refused."""
    from server.cli.stores import mirror

    raise typer.Exit(mirror.run(context.obj, check=check, format=format))


@app.command("search-index", rich_help_panel=KEEP)
def look_at_search_index(
    context: typer.Context,
    *,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="make it agree with what is stored first")] = False,
) -> None:
    """Check whether the search knows everything that is stored. Exit code: 0 sound, 1 not, 75 busy."""
    from server.cli.stores import search_index

    raise typer.Exit(search_index.run(context.obj, rebuild=rebuild))
