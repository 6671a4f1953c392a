"""`trim`: removes what has outlived its setting."""

import anyio

from server.errors import NotAllowed
from server.settings import Flags, Settings, load_existing
from server.store import open_store
from server.text.display import number_of
from server.upkeep import trimming
from server.upkeep.trimming import TrimOutcome


def run(flags: Flags, *, dry_run: bool) -> int:
    """Say what would go, or remove it and say what went."""
    chosen = load_existing(flags)
    if chosen.read_only and not dry_run:
        raise NotAllowed("--read-only (PM_READ_ONLY) refuses every write; --dry-run says what would go.")
    kept, rows, done = anyio.run(_trimmed, chosen, dry_run)
    for name, time in kept.items():
        print(f"retention.{name} is {time}")
    for table, count in rows.items():
        print(f"{'would remove' if dry_run else 'removed'} {number_of(count, 'row')} of {table}")
    if not rows:
        print("Nothing has outlived its time.")
    elif done:
        print(f"In {done.transactions} transactions, the longest {done.longest_seconds * 1000:.0f} ms.")
    return 0


async def _trimmed(chosen: Settings, dry_run: bool) -> tuple[dict[str, str], dict[str, int], TrimOutcome | None]:
    db = await open_store(chosen)
    try:
        kept = await trimming.kept_for(db)
        if dry_run:
            return kept, await trimming.preview(db), None
        done = await trimming.trim(db, chosen)
        return kept, done.rows, done
    finally:
        await db.close()
