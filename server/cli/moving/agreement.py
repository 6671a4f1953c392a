"""A person's yes to what was shown."""

import sys

from server.errors import NotAllowed


def agree(*, yes: bool) -> None:
    """Go on if a person at a terminal says so, or said so before; else refuse."""
    if yes:
        return
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty()):
        raise NotAllowed("Nobody can be asked here, so nothing was changed. Add --yes to do it.")
    print("Go on? [y/N] ", end="", flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise NotAllowed("Nothing was changed.")
