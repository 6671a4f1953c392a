"""`backup`: a copy of the database."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import anyio

from server.db.backups import backup_files
from server.settings import Flags, Settings, load, load_existing
from server.store import open_store
from server.text.display import number_of, size
from server.tools.commands import command
from server.upkeep import backups
from server.upkeep.backups import BackupFile, BackupOutcome


def run(flags: Flags, destination: Path | None, keep: int | None, *, as_json: bool) -> int:
    """Make a backup and say where it is; return the exit code."""
    chosen = load_existing(flags)
    done = anyio.run(_make, chosen, destination, keep)
    print(json.dumps(_as_json(done), ensure_ascii=False, indent=2) if as_json else "\n".join(_told(chosen, done)))
    return 0


def list_(flags: Flags, folder: Path | None, *, as_json: bool) -> int:
    """Print the backups in a folder, the newest first."""
    chosen = load(flags)
    there = backups.found(folder or backups.folder_of(chosen.database))
    if as_json:
        print(json.dumps([_listed(file) for file in there], ensure_ascii=False, indent=2))
    else:
        for file in there:
            print(f"{file.made_at:%Y-%m-%d %H:%M:%S}  {size(file.bytes):>9}  {file.path}")
        print(f"{number_of(len(there), 'backup')}, {size(sum(file.bytes for file in there))}")
    return 0


async def _make(chosen: Settings, destination: Path | None, keep: int | None) -> BackupOutcome:
    db = await open_store(chosen)
    try:
        if destination is None:
            return await backups.make(db, keep=keep)
        return await backups.make_at(db, destination.expanduser().absolute(), keep=keep)
    finally:
        await db.close()


def _told(chosen: Settings, done: BackupOutcome) -> list[str]:
    if done.manifest is None:
        return [f"No backup was made: {done.why_not}."]
    rows = sum(done.manifest.rows.values())
    lines = [
        f"{done.path}",
        f"{size(done.manifest.bytes)}, {rows} rows, looked over and sound. SHA-256 {done.manifest.sha256}",
        f"To go back to it: {command(chosen, 'restore', str(done.path))}",
    ]
    return lines + [f"removed {path.name}" for path in done.removed]


def _as_json(done: BackupOutcome) -> dict[str, Any]:
    if done.manifest is None:
        return {"path": None, "why_not": done.why_not}
    return {"path": str(done.path), **asdict(done.manifest), "removed": [str(path) for path in done.removed]}


def _listed(file: BackupFile) -> dict[str, Any]:
    manifest = backup_files.manifest_of(file.path)
    return {"path": str(file.path), **(asdict(manifest) if manifest else {"made_at": file.made_at.isoformat()})}
