"""The command line. A package a family of commands: `commands` declares them, the work is a module of its own."""

import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper

from server.cli.app import PROGRAM, app
from server.errors import ProjectMemoryError
from server.settings import Flags

FAMILIES = ("setup", "views", "answers", "stores", "upkeep")

for family in FAMILIES:  # in the order of --help
    import_module(f"server.cli.{family}.commands")


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
