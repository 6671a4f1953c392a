"""`restore`: a backup takes the place of the database."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import anyio

from server.cli import person
from server.models.base import timestamp
from server.settings import Flags, Settings, load
from server.text.display import number_of, shown
from server.tools.commands import command
from server.upkeep import restore
from server.upkeep.restore import RestorePreview


def run(flags: Flags, named: Path, *, dry_run: bool) -> int:
    """Show what restoring a file changes, take a person's word, and do it; return the exit code."""
    chosen = load(flags)
    file = restore.chosen(chosen.database, named.expanduser())
    restore.require_backup(file)
    if not dry_run and chosen.database.exists():
        person.refuse_agents(f"restore {file.name}")
    anyio.run(_restore, chosen, file, dry_run)
    return 0


async def _restore(chosen: Settings, file: Path, dry_run: bool) -> None:
    async with restore.prepared(chosen.database, file, dry_run=dry_run) as (comparison, draft):
        lines = list(_told(chosen, comparison))
        if dry_run:
            print("\n".join(shown(line) for line in [*lines, *_in_use(comparison), "Nothing was changed."]))
            return
        if comparison.now or comparison.damage:
            person.ask(lines, f"restore {file.name}")
        else:
            print("\n".join(shown(line) for line in lines))
        done = await restore.put(chosen.database, comparison, draft, timestamp(datetime.now(UTC)))
    print(f"{chosen.database} is {file.name} now.")
    if done.saved:
        print(f"What was there before is saved: {command(chosen, 'restore', done.saved.name)}")
    if done.aside:
        print(f"What was there before could not be read, and is kept as it was: {done.aside}")


def _told(chosen: Settings, found: RestorePreview) -> Iterator[str]:
    age = f"of {found.made_at}, as its manifest says" if found.made_at else "without a manifest"
    yield f"{found.file}, {age}: sound, schema version {found.then.schema_version}"
    if found.damage:
        yield f"The database that is there cannot be read whole: {found.damage}"
        yield "It is kept beside the restored one."
    if found.now is None:
        yield f"{chosen.database} gets {number_of(sum(found.then.rows.values()), 'row')}."
    else:
        yield from _changes(found.now.rows, found.then.rows)
    if found.lost:
        if not found.lost.is_earlier:
            yield "It is no earlier state of this database: all that happened here is missing in it."
        yield f"{found.lost.total} events would be lost." if found.lost.total else "No event would be lost."
        for event in found.lost.newest:
            yield f"  {event['timestamp']} {event['type']} {event['entity_id']} {event['agent'] or ''}".rstrip()
        if (more := found.lost.total - len(found.lost.newest)) > 0:
            yield f"  and {more} older ones"


def _changes(now: dict[str, int], then: dict[str, int]) -> Iterator[str]:
    """Tell the tables that have another number of rows."""
    for table in sorted(now.keys() | then.keys()):
        before, after = now.get(table, 0), then.get(table, 0)
        if before != after:
            yield f"  {table}: {before} rows now, {after} then ({after - before:+})"


def _in_use(found: RestorePreview) -> list[str]:
    return (
        [f"It could not be done now, since the database is in use by {', '.join(map(str, found.used_by))}."]
        if (found.used_by)
        else []
    )
