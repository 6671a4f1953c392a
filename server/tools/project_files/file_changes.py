"""What a change of a file leaves in the database: itself until it is carried out, what it took away, who did it."""

import base64
import os
import re
import stat
import time
import unicodedata
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from anyio.to_thread import run_sync

from server.confined.changes import FileChange, KeptFile, PreparedChange
from server.confined.folder import Parts
from server.db.audit import events, file_changes, trash
from server.db.steps import file_edits, step_workers, steps
from server.db.storage.connection import Database, Reader, Transaction
from server.errors import NotFound, ProjectMemoryError
from server.models.base import new_id
from server.models.events import Event
from server.models.steps import ChangeType
from server.settings import Settings
from server.tools.common import Call

FILES = "files"  # the one table of an entry of the trash that is a file
STORED = re.compile(r"trash_[0-9a-z]{1,40}")
STALE_SECONDS = 86_400  # after which a file in the trash without an entry is left over from a process that died


def new_store(settings: Settings) -> Path:
    """Return where a file that is too large for a row can be kept, named for its entry of the trash."""
    return settings.trash / new_id("trash")


async def decide(
    call: Call, tx: Transaction, change: PreparedChange, workspace_id: str, *, was_in: str | None = None
) -> str | None:
    """Store a change that is ready, in the transaction after which it is carried out, and return its trash_id, if any.

    Changes of others that are committed come first: what they looked at is what this one finds. `was_in` is the folder,
    if that is not the workspace's own but one that was merged into it.
    """
    await catch_up(tx)
    assert change.decided
    change.decided.check()
    call.decided.append(await file_changes.insert(tx, workspace_id, change.decided.as_json))
    return await _trashed(tx, change, workspace_id, was_in) if change.kept else None


async def carry_out(call: Call, result: dict[str, Any]) -> dict[str, Any]:
    """Do what the call decided, once that is committed; that of a call which is sent again may be left to do."""
    for change_id, change in (await file_changes.pending(call.db)).items():
        if change_id in call.decided:
            await run_sync(FileChange.of_json(change).carry_out)
        else:
            with suppress(ProjectMemoryError, OSError):
                await run_sync(FileChange.of_json(change).carry_out)
    return result


async def catch_up(tx: Transaction) -> None:
    """Carry out what processes that died, or come right after their commit, did not."""
    found = await file_changes.pending(tx)
    for change in found.values():
        with suppress(ProjectMemoryError, OSError):  # somebody else was there since: it is over
            FileChange.of_json(change).carry_out()
    if found:
        await file_changes.drop(tx, list(found))


async def catch_up_at_start(db: Database) -> None:
    """Do so when a server starts, before anybody writes."""
    if await file_changes.pending(db):
        async with db.transaction() as tx:
            await catch_up(tx)


async def _trashed(tx: Transaction, change: PreparedChange, workspace_id: str, was_in: str | None) -> str:
    kept = change.kept
    assert kept
    root = {"root": was_in} if was_in else {}
    return await trash.put(
        tx,
        trash_id=kept.stored.name if kept.stored else None,
        entity_type="file",
        entity_id=kept.path,
        title=kept.path,
        workspace_id=workspace_id,
        plan_id=None,
        rows={FILES: [root | _row(kept, change.left)]},
    )


def _row(kept: KeptFile, left: str | None) -> dict[str, Any]:
    """Return a file as its entry in the trash has it; `left` is the hash of what took its place."""
    row: dict[str, Any] = {"path": kept.path, "kind": kept.kind, "mode": kept.mode, "size": kept.size}
    row |= {"sha256": kept.sha256, "left": left}
    if kept.stored:
        return row | {"stored": kept.stored.name}
    try:
        return row | {"text": (kept.content or b"").decode()}
    except UnicodeDecodeError:
        return row | {"base64": base64.b64encode(kept.content or b"").decode()}


def stored(row: Mapping[str, Any], settings: Settings) -> Path | None:
    """Return where the content of a file in the trash is, if not in its entry; that of an import may say anything."""
    name = row.get("stored")
    if name is None:
        return None
    if not STORED.fullmatch(str(name)):
        raise NotFound(f"The content of {row['path']!r} is not here: {str(name)[:100]!r} is no name in the trash.")
    return settings.trash / str(name)


def content_of(row: Mapping[str, Any], settings: Settings) -> Iterable[bytes]:
    """Yield what a file in the trash holds."""
    if path := stored(row, settings):
        with path.open("rb") as file:
            while block := file.read(1024 * 1024):
                yield block
    else:
        yield base64.b64decode(row["base64"]) if "base64" in row else row["text"].encode()


async def sweep(db: Reader, settings: Settings, *, dry_run: bool = False) -> dict[str, int]:
    """Remove large files whose entry is gone from the trash; return the bytes of each, by name.

    Nothing calls it by the clock: a restore does, and upkeep.
    """
    old = await run_sync(_old_stores, settings.trash)
    gone = {name: old[name] for name in sorted(old.keys() - await trash.known(db, list(old)))}
    for name in () if dry_run else gone:
        with suppress(OSError):  # another process sweeps, too
            (settings.trash / name).unlink()
    return gone


def _old_stores(folder: Path) -> dict[str, int]:
    """Return the files in the trash that no change under way can be about, with their sizes."""
    found: dict[str, int] = {}
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                about = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(about.st_mode) and about.st_mtime < time.time() - STALE_SECONDS:
                    found[entry.name] = about.st_size
    return found


def record(tx: Transaction, kind: str, parts: Parts, summary: str, **data: Any) -> None:
    """Log what happens to a file."""
    path = "/".join(parts)
    told = {name: value for name, value in data.items() if value is not None}
    events.record(tx, Event(kind, "file", path, summary=summary, data={"path": path, **told}))


async def record_edit(
    tx: Transaction, step_id: str, parts: Parts, change_type: ChangeType, previous: Parts | None = None
) -> str:
    """Note that a file was touched for a step, and return the id of that note."""
    step = await steps.require(tx, step_id)
    edit = await file_edits.insert(
        tx,
        workspace_id=tx.workspace_id or "",
        plan_id=step.plan_id,
        step_id=step_id,
        file_path=_stored(parts),
        previous_path=_stored(previous) if previous else None,
        change_type=change_type,
        notes=None,
    )
    await step_workers.record(tx, step, tx.origin.agent)
    data = {"file_path": edit.file_path, "change_type": change_type}
    events.record(tx, Event("file_edited", "file_edit", edit.edit_id, plan_id=step.plan_id, data=data))
    return edit.edit_id


def _stored(parts: Parts) -> str:
    return unicodedata.normalize("NFC", "/".join(parts))
