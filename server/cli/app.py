"""The command line as a whole: its settings and its version. The packages beside it add their commands."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from server import __version__
from server.settings import SETTINGS, Setting

PROGRAM = "project-memory"
# Under which heading of --help a command stands, in this order.
SEE = "See"
ANSWER = "Answer"
SET_UP = "Set up"
WORK = "Do what agents do"
KEEP = "Keep in order"
FILES = "Files, and all else"
HEADINGS = (SEE, ANSWER, SET_UP, WORK, KEEP, FILES)
PANEL = "rich_help_panel"  # where typer keeps the heading that a command was given
FRAME = 4  # cells around names: before them, and before what they do
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]


def _settings_help() -> str:
    """Return a line or two for each setting; `\\b` keeps them from being joined."""
    lines = [line for setting in SETTINGS for line in _setting_help(setting)]
    return "\n".join(["\b", "Settings (a flag anywhere in the command, or an environment variable):", *lines])


def _setting_help(setting: Setting) -> tuple[str, str]:
    value = "" if setting.flag_only else f" {'|'.join(setting.choices) or 'VALUE'}"
    default = f" [default: {setting.default}]" if setting.default else ""
    return f"  {setting.flag}{value}, {setting.env}", f"      {setting.meaning}{default}"


class Commands(TyperGroup):
    """The commands, each under its heading, people's first."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # of click, or of the copy of it that typer has
        names = max(map(len, self.commands))
        rows: dict[str, list[tuple[str, str]]] = {heading: [] for heading in HEADINGS}
        for name, one in self.commands.items():
            does = one.get_short_help_str(formatter.width - names - FRAME)
            rows[getattr(one, PANEL) or HEADINGS[-1]].append((name.ljust(names), does))
        for heading, listed in rows.items():
            with formatter.section(heading):
                formatter.write_dl(listed)


app = typer.Typer(
    cls=Commands,
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
