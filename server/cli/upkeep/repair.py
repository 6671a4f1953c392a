"""`repair`: mends one finding of `check`."""

import anyio

from server.settings import Flags, load_existing
from server.text.display import shown
from server.upkeep import repairing

MENDED, LEFT = 0, 1


def run(flags: Flags, name: str, *, dry_run: bool) -> int:
    """Say what is wrong and what is done about it, do it, and return the exit code."""
    chosen = load_existing(flags)
    wanted = repairing.require(name)
    found = anyio.run(repairing.preview, chosen, name)
    if not found:
        print(f"Nothing is wrong with {name}.")
        return MENDED
    for one in found:
        print(f"{one.name}: {shown(one.what)}")
    print(f"{'Would do' if dry_run else 'To do'}: {wanted.does}")
    if dry_run:
        return MENDED
    if kept := anyio.run(repairing.keep, chosen, name):
        print(f"A backup of what is there now: {shown(str(kept))}")
    left = anyio.run(repairing.repair, chosen, name)
    for one in left:
        print(f"Still {one.name}: {shown(one.what)}")
    print(f"{name} is {'not mended whole' if left else 'mended'}.")
    return LEFT if left else MENDED
