"""The command line. A package a family of commands: `commands` declares them, the work is a module of its own."""

import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from types import TracebackType

from typer.main import get_command

from server.cli.app import PROGRAM, app
from server.errors import ProjectMemoryError, Storage
from server.settings import Flags
from server.text.display import shown

FAMILIES = ("answers", "views", "setup", "serving", "calling", "upkeep", "moving", "stores")
PIPE_CLOSED = 141  # as a shell tells of a program that SIGPIPE ended

for family in FAMILIES:  # in the order of --help
    import_module(f"server.cli.{family}.commands")


def run(words: Sequence[str], flags: Flags) -> None:
    """Run the subcommand that `words` name; `flags` are the settings' flags that stood among them."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as it is in the background of a script
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if flags.get("log_level") != "debug":
        sys.excepthook = _tell_defect
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a plan may hold what the terminal's encoding does not
    try:
        _run(words, flags)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or the interpreter flushes into the pipe once more
        sys.exit(PIPE_CLOSED)
    except OSError as error:
        place = shown(repr(error.filename)) if error.filename else "What was to be read or written"
        raise Storage(f"{place} failed: {error.strerror}. See to that, and run the same command again.") from error
    except ProjectMemoryError as error:
        from server.cli.wording import in_terminal
        from server.tools.wording import completed

        error.args = (in_terminal(str(completed(error))),)
        raise


def _run(words: Sequence[str], flags: Flags) -> None:
    output = sys.stdout
    try:
        get_command(app)(args=list(words), prog_name=PROGRAM, obj=flags)  # app() would set an excepthook of its own
    except SystemExit:
        if sys.stdout is not output:  # which typer does when nobody reads any more
            raise BrokenPipeError from None
        raise
    finally:
        if output:  # it may have been closed before the start
            output.flush()


def _tell_defect(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Tell of what should not happen in two lines: a person can do nothing with a whole traceback."""
    if not issubclass(kind, Exception):  # Ctrl-C
        return
    told = shown(f"{kind.__name__}: {error}")
    sys.stderr.write(f"{PROGRAM}: this failed in a way that it should not, {told}\n")
    sys.stderr.write("Run it again with --log-level debug to see where, and report that.\n")
