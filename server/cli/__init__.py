"""The command line. Each subcommand's work is a module of its own, imported when it runs."""

import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Literal

import typer

from server import __version__
from server.errors import ProjectMemoryError
from server.settings import SETTINGS, Flags, Setting

PROGRAM = "project-memory"
ExportFormat = Literal["json", "legacy", "markdown"]


def run(words: Sequence[str], flags: Flags) -> None:
    """Run the subcommand that `words` name; `flags` are the settings' flags that stood among them."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a plan may hold what the terminal's encoding does not
    try:
        app(args=list(words), prog_name=PROGRAM, obj=flags)
    except ProjectMemoryError as error:
        from server.tools.wording import completed

        completed(error)
        raise


def _settings_help() -> str:
    """Return a line or two for each setting; `\\b` keeps them from being joined."""
    lines = [line for setting in SETTINGS for line in _setting_help(setting)]
    return "\n".join(["\b", "Settings (a flag anywhere in the command, or an environment variable):", *lines])


def _setting_help(setting: Setting) -> tuple[str, str]:
    value = "" if setting.flag_only else f" {'|'.join(setting.choices) or 'VALUE'}"
    default = f" [default: {setting.default}]" if setting.default else ""
    return f"  {setting.flag}{value}, {setting.env}", f"      {setting.meaning}{default}"


app = typer.Typer(
    help="Serve MCP over stdio: that is what happens without a subcommand, and what an editor launches.",
    epilog=_settings_help(),
    context_settings={"help_option_names": ["--help", "-h"]},
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")] = False,
) -> None:
    """Carry the options that stand before a subcommand."""


@app.command("demo")
def play_demo(
    context: typer.Context,
    plan: Annotated[Path | None, typer.Argument(help="a Markdown checklist; without it, one that comes along")] = None,
    keep: Annotated[Path | None, typer.Option(help="a new folder to leave the database and the project in")] = None,
) -> None:
    """Drive a real server through a plan, kill it on the way, and print how to set up your editor."""
    from server.cli import demo

    raise typer.Exit(demo.run(plan, keep, context.obj))


ReportFile = Annotated[Path | None, typer.Option("--report", help="a file for every line of the report, as JSON")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]


@app.command("import")
def import_store(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="a data root, one folder of it, or a project that has one")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would be done")] = False,
    workspace_path: Annotated[str | None, typer.Option(help="where the project is now, if it moved")] = None,
    report: ReportFile = None,
    as_json: AsJson = False,
) -> None:
    """Take over an older store. Exit code: 0 clean, 3 imported with problems, 2 nothing imported."""
    from server.cli import import_
    from server.importers.run import Options

    raise typer.Exit(import_.run(path, Options(dry_run, workspace_path), report, as_json, context.obj))


@app.command("verify")
def verify_store(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="the store that was imported")],
    report: ReportFile = None,
    as_json: AsJson = False,
) -> None:
    """Compare an imported store with what the tools return now. Exit code: 0 equal, 3 different, 2 no store."""
    from server.cli import verify

    raise typer.Exit(verify.run(path, report, as_json, context.obj))


@app.command("export")
def export_all(
    context: typer.Context,
    destination: Annotated[Path, typer.Argument(help="a new or empty folder")],
    *,
    format: Annotated[ExportFormat, typer.Option(help="lossless documents, the old files, or pages")] = "json",
    plan: Annotated[str | None, typer.Option(help="the id of the only plan to export")] = None,
    force: Annotated[bool, typer.Option("--force", help="write into a folder that is not empty")] = False,
    as_json: AsJson = False,
) -> None:
    """Write everything, or --workspace, or --plan, as files: JSON documents, the old store, or Markdown pages."""
    from server.cli import export

    flags: Flags = context.obj
    wanted = export.ExportRequest(destination, format, flags.get("workspace"), plan, force)
    raise typer.Exit(export.run(wanted, flags, as_json=as_json))


@app.command("mirror")
def write_mirror(
    context: typer.Context,
    *,
    check: Annotated[
        bool, typer.Option("--check", help="compare it with the database, and print what differs")
    ] = False,
) -> None:
    """Write the mirror (--mirror DIR) now. Exit code: 0 like the database, 1 different or refused."""
    from server.cli import mirror

    raise typer.Exit(mirror.run(context.obj, check=check))


@app.command("search-index")
def look_at_search_index(
    context: typer.Context,
    *,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="make it agree with what is stored first")] = False,
) -> None:
    """Check whether the search knows everything that is stored. Exit code: 0 sound, 1 not, 75 busy."""
    from server.cli import search_index

    raise typer.Exit(search_index.run(context.obj, rebuild=rebuild))


WhatWaits = Annotated[str, typer.Argument(metavar="ID", help="whole id of an approval, a step or a phase")]
Note = Annotated[str | None, typer.Option("--note", help="what to tell whoever asked")]


@app.command("approvals")
def show_approvals(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List what waits for your word, and how to give it."""
    from server.cli import confirm

    raise typer.Exit(confirm.show(context.obj, as_json=as_json))


@app.command("confirm")
def say_yes(context: typer.Context, wanted: WhatWaits, *, note: Note = None) -> None:
    """Say yes to what waits for a person, or was rejected; a code that is shown has to be typed back."""
    from server.cli import confirm

    raise typer.Exit(confirm.answer(context.obj, wanted, yes=True, note=note))


@app.command("reject")
def say_no(context: typer.Context, wanted: WhatWaits, *, note: Note = None) -> None:
    """Say no to what waits for a person; whoever asked is told, with the note, and does not ask again at once."""
    from server.cli import confirm

    raise typer.Exit(confirm.answer(context.obj, wanted, yes=False, note=note))


config_app = typer.Typer(help="The settings that all servers of this database share.", rich_markup_mode=None)
app.add_typer(config_app, name="config")
Key = Annotated[str, typer.Argument(metavar="KEY", help="name of a setting, as `config list` shows it")]


@config_app.command("get")
def get_setting(context: typer.Context, key: Key) -> None:
    """Print a setting."""
    from server.cli import config

    raise typer.Exit(config.get(context.obj, key))


@config_app.command("set")
def set_setting(context: typer.Context, key: Key, value: Annotated[str, typer.Argument(metavar="VALUE")]) -> None:
    """Change a setting; what loosens a rule takes a person, who types a code back."""
    from server.cli import config

    raise typer.Exit(config.set_(context.obj, key, value))


@config_app.command("list")
def list_settings(context: typer.Context) -> None:
    """Print every setting, who set it, and what it means."""
    from server.cli import config

    raise typer.Exit(config.list_(context.obj))
