"""`python -m server`: serve MCP over stdio; with a subcommand, the command line."""

import gc
import signal
import sys

from server import settings
from server.errors import ProjectMemoryError


def main() -> None:
    """Entry point of the console script."""
    try:
        flags, words = settings.split(sys.argv[1:])
        if words:
            from server.cli import run  # the command line's libraries would slow the start of the server

            run(words, flags)
        else:
            _serve(settings.load(flags))
    except ProjectMemoryError as error:
        sys.stderr.write(f"project-memory: {error}\n")
        sys.exit(error.exit_code)


def _serve(chosen: settings.Settings) -> None:
    # The imports make half a million objects that live until the end: not worth a look while they are made.
    gc.disable()
    from server.protocol.stdio import serve

    settings.configure_logging(chosen)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until it is served: no traceback for who gives up the start
    sys.exit(serve(chosen))


if __name__ == "__main__":
    main()
