"""`config`: the settings that all servers of a database share."""

import anyio

from server.cli import person
from server.cli.screen import Column, Screen
from server.db.shared_state import shared_settings
from server.errors import NotFound
from server.models.approvals import Word
from server.models.settings import DEFINED, Definition
from server.settings import Flags, Settings, load_existing
from server.store import open_store

CLI = "cli"
COLUMNS = (Column("SETTING"), Column("VALUE"), Column("SET BY"), Column("WHEN"), Column("MEANS", is_wide=True))


def get(flags: Flags, key: str) -> int:
    """Print the value of a setting."""
    Screen().line(anyio.run(_value, load_existing(flags), _definition(key)))
    return 0


def list_(flags: Flags) -> int:
    """Print every setting with its value, who set it, and what it means."""
    rows = anyio.run(_listed, load_existing(flags))
    screen = Screen()
    screen.table(COLUMNS, [(key, value, who, screen.when(since), means) for key, value, who, since, means in rows])
    return 0


def set_(flags: Flags, key: str, value: str) -> int:
    """Change a setting; what loosens a rule takes a person."""
    chosen, wanted = load_existing(flags), _definition(key)
    value = wanted.checked(value)
    old = anyio.run(_value, chosen, wanted)
    word = Word("unknown", CLI)
    if wanted.loosens(old, value):
        lines = [f"Set {key} to {value} (it is {old}), for every server of {chosen.database}", wanted.meaning]
        word = person.ask(lines, f"loosen {key}")
    anyio.run(_store, chosen, wanted, value, word)
    Screen().line(f"{key} is {value}.")
    return 0


def _definition(key: str) -> Definition:
    if found := DEFINED.get(key):
        return found
    raise NotFound(f"There is no setting {key[:80]!r}. There are: {', '.join(DEFINED)}.")


async def _value(chosen: Settings, wanted: Definition) -> str:
    db = await open_store(chosen)
    try:
        return await shared_settings.get(db, wanted.key)
    finally:
        await db.close()


async def _listed(chosen: Settings) -> list[tuple[str, str, str, str, str]]:
    """Return every setting: its name, its value, who set it and since when, and what it means."""
    db = await open_store(chosen)
    try:
        known = await shared_settings.stored(db)
    finally:
        await db.close()
    rows = ((one, known.get(one.key)) for one in DEFINED.values())
    return [
        (one.key, row.value, f"{row.changed_by} ({row.via})", row.updated_at, one.meaning)
        if row
        else (one.key, one.default, "default", "", one.meaning)
        for one, row in rows
    ]


async def _store(chosen: Settings, wanted: Definition, value: str, word: Word) -> None:
    db = await open_store(chosen)
    try:
        async with db.transaction() as tx:
            await shared_settings.put(tx, wanted.key, value, word)
    finally:
        await db.close()
