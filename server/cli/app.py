"""The command line as a whole: its settings and its version. The packages beside it add their commands."""

from typing import Annotated

import typer

from server import __version__
from server.settings import SETTINGS, Setting

PROGRAM = "project-memory"
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]


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
