"""`python -m server`: serve MCP over stdio; with a subcommand, the command line."""

import gc
import signal
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from server.completion.candidates import Candidate
    from server.settings import Settings

# Imports make some hundred thousand objects, which stay: nothing is found by looking for garbage among them often.
MANY = 50_000


def main() -> None:
    """Entry point of the console script."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # while all is imported: no traceback for who gives up the start
    from server import settings
    from server.errors import ProjectMemoryError
    from server.text.display import shown

    try:
        if sys.argv[1:2] == [settings.ASK]:
            sys.exit(_complete(" ".join(sys.argv[2:])))
        flags, words = settings.split(sys.argv[1:])
        if words:
            gc.set_threshold(MANY)
            from server.cli import run  # the command line's libraries would slow the start of the server

            run(words, flags)
        else:
            _serve(settings.load(flags, serves=True))
    except ProjectMemoryError as error:
        sys.stderr.write(f"project-memory: {shown(str(error))}\n")  # it may quote what others wrote
        sys.exit(error.exit_code)


def _complete(line: str) -> int:
    from server.completion import candidates

    def of_command(words: Sequence[str], typed: str) -> "Iterable[Candidate]":
        from server.cli.calling import known

        return known.of_command(words, typed)

    return candidates.complete(line, of_command)


def _serve(chosen: "Settings") -> None:
    gc.disable()
    from server.protocol.stdio import serve
    from server.settings import configure_logging

    configure_logging(chosen)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until it is served
    sys.exit(serve(chosen))


if __name__ == "__main__":
    main()
