"""`python -m server`: serve MCP over stdio; with a subcommand, the command line."""

import gc
import signal
import sys


def main() -> None:
    """Entry point of the console script."""
    arguments = sys.argv[1:]
    if any(not word.startswith("-") or word in ("--help", "-h", "--version") for word in _without_values(arguments)):
        from server.cli import run  # the command line's libraries would slow the start of the server

        run(arguments)
        return
    _serve(arguments)


def _serve(arguments: list[str]) -> None:
    # The imports make half a million objects that live until the end: not worth a look while they are made.
    gc.disable()
    import anyio

    from server import settings
    from server.errors import InvalidArguments
    from server.transport import serve

    gc.enable()
    gc.freeze()
    try:
        chosen = settings.parse(arguments)
        settings.configure_logging(chosen)
        # The SDK's stdin thread would outlive a KeyboardInterrupt.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        anyio.run(serve, chosen)
    except InvalidArguments as error:
        sys.exit(f"project-memory: {error}")


def _without_values(arguments: list[str]) -> list[str]:
    """Return the words that are no value of a flag before them."""
    return [
        word
        for before, word in zip(["", *arguments], arguments, strict=False)
        if not (before.startswith("--") and "=" not in before and before != "--read-only" and not word.startswith("-"))
    ]


if __name__ == "__main__":
    main()
