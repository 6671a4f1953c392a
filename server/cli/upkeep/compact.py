"""`compact`: gives the space that nothing uses any more back to the disk."""

import sys

import anyio

from server.errors import NotAllowed
from server.settings import Flags, load_existing
from server.upkeep import compacting
from server.upkeep.place_checks import told


def run(flags: Flags, *, wait: bool) -> int:
    """Compact the database and say what that gave back."""
    chosen = load_existing(flags)
    if chosen.read_only:
        raise NotAllowed("--read-only (PM_READ_ONLY) refuses every write.")
    shows = sys.stderr.isatty()
    last = ""

    def show(what: str, part: float) -> None:
        nonlocal last
        if shows:
            print(f"\r{what} {part:.0%}\033[K", end="", file=sys.stderr, flush=True)
        elif what != last:
            print(what, file=sys.stderr)
        last = what

    async def work() -> compacting.Compacted:
        return await compacting.compact(chosen.database, show, wait=wait)

    try:
        done = anyio.run(work)
    finally:
        if shows and last:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
    print(f"{told(done.before)} before, {told(done.after)} after: {told(max(done.before - done.after, 0))} less.")
    return 0
