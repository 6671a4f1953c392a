"""`move --data-root NEW`: the data root itself, copied, looked over, put in force, and the old one set aside.

What puts the new one in force is one file, `moved-to` in the old place: whoever dies before it is there leaves the old
one in force, and whoever dies after it the new one.
"""

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import anyio
from anyio.to_thread import run_sync

from server import files
from server.cli.person import agree
from server.db.backups import backup_files
from server.db.storage import process_lock
from server.db.workspaces import workspaces
from server.errors import Conflict, InvalidArguments, NotAllowed, Storage
from server.settings import DATABASE_NAME, LOCK, MOVED_TO, PROCESSES, Flags, Settings, is_ours, load
from server.store import open_store
from server.text.display import shown
from server.tools import identity, paths
from server.tools.workspace import moved_folders

WORK = "move --data-root"
DRAFT = ".project-memory-moving"  # beside the new folder: a copy that is not finished, or was not
ASIDE = "moved-away"  # in the old place: what was moved
MOVED_FROM = "moved-from"  # in the new place until it is in force: of what it is a copy
STAYS = (LOCK, PROCESSES, MOVED_TO, MOVED_FROM)


@dataclass
class Copied:
    """The files of a copy by their paths in it, each with its hash, and what was left where it is."""

    hashes: dict[str, str] = field(default_factory=dict[str, str])
    size: int = 0


def run(flags: Flags, source: Path | None, *, dry_run: bool, yes: bool) -> int:
    """Show what is moved, ask, do it, and return the exit code."""
    target = paths.expanded(flags["data_root"]).absolute()
    rest = {name: value for name, value in flags.items() if name != "data_root"}
    chosen = load({**rest, "data_root": str(source)} if source else rest)
    chosen.require_database()
    old = chosen.data_root
    _check(old, target)
    ours, others = _parts(old)
    size = sum(file.stat(follow_symlinks=False).st_size for part in ours for file in _files(part))
    _require_room(target, size)
    print(shown(f"{old} -> {target} ({size:,} bytes: {', '.join(part.name for part in ours)})"))
    print(shown(f"What was there stays in {old}, in a folder {ASIDE}-...; {MOVED_TO} there leads everybody on."))
    if others:
        print(shown(f"Not of this program, so it stays where it is: {', '.join(path.name for path in others[:10])}"))
    if chosen.read_only:
        raise NotAllowed("--read-only (PM_READ_ONLY) refuses every write; --dry-run shows what would be done.")
    if dry_run:
        print("Nothing was changed: without --dry-run it is.")
        return 0
    agree(yes=yes)
    for line in anyio.run(_move, chosen, target):
        print(shown(line))
    return 0


def _check(old: Path, target: Path) -> None:
    """Refuse what cannot become a data root of its own."""
    if not str(target).isprintable():
        raise InvalidArguments(f"{str(target)!r} has characters that {MOVED_TO} cannot hold. Name another folder.")
    here, there = Path(os.path.realpath(old)), Path(os.path.realpath(target))
    if here == there:
        raise Conflict(f"{str(target)!r} is the data root already. Nothing is to be done.")
    if there.is_relative_to(here) or here.is_relative_to(there):
        raise InvalidArguments(f"{str(target)!r} and {str(old)!r} lie in one another. Name a folder beside it.")
    try:
        if target.exists() and not target.is_dir():
            raise InvalidArguments(f"{str(target)!r} is a file. Name a new folder.")
        if target.is_dir() and any(target.iterdir()) and not _is_left_over(old, target):
            raise Conflict(f"{str(target)!r} is not empty. Nothing was changed. Name a new folder.")
    except OSError as error:
        raise Storage(f"{str(target)!r} cannot be used: {error.strerror}. Name another folder.") from error


def _is_left_over(old: Path, target: Path) -> bool:
    """Return whether a folder is a copy that was never put in force, and that nobody has opened."""
    try:
        return (target / MOVED_FROM).read_text(encoding="utf-8") == str(old) and not (target / LOCK).exists()
    except (OSError, ValueError):
        return False


def _parts(root: Path) -> tuple[list[Path], list[Path]]:
    """Return what of a data root is moved, the database last, and what is of somebody else."""
    found = sorted(root.iterdir(), key=lambda path: (path.name == DATABASE_NAME, path.name))
    ours = [path for path in found if is_ours(path) and path.name not in STAYS]
    others = [p for p in found if p not in ours and p.name not in STAYS and not p.name.startswith(ASIDE)]
    return ours, others


def _require_room(target: Path, size: int) -> None:
    place = next(path for path in (target, *target.parents) if path.is_dir())
    if (free := shutil.disk_usage(place).free) < size:
        raise Storage(f"{str(place)!r} has {free:,} bytes free, and {size:,} are needed. Free some, or name another.")


def _files(part: Path) -> Iterator[Path]:
    """Yield the files of a part: itself, or all in it. Nothing but files and links is kept in a data root."""
    if part.is_symlink() or not part.is_dir():
        yield part
        return
    for folder, _, names in os.walk(part):
        yield from (Path(folder) / name for name in sorted(names))


async def _move(chosen: Settings, target: Path) -> list[str]:
    old = chosen.data_root
    async with process_lock.alone(chosen.database, WORK):
        try:
            done = await _copied(old, target)
            # From here on the new place is in force.
            await run_sync(_put, old / MOVED_TO, f"{target}\n")
        except OSError as error:
            raise Storage(
                f"{error.filename or str(target)!r} cannot be written: {error.strerror}. Nothing was moved; see to "
                "that, or name another folder."
            ) from error
        (target / MOVED_FROM).unlink(missing_ok=True)
        aside = await run_sync(_set_aside, old)
    told = [f"{len(done.hashes)} files, {done.size:,} bytes, are in {target} now, and are what they were."]
    told += [f"The old ones are in {aside}. When all works, you may delete that folder; keep {old / MOVED_TO}."]
    return [*told, *await _told_folders(replace(chosen, data_root=target), old)]


async def _copied(old: Path, target: Path) -> Copied:
    """Leave a whole copy in the new place, that was compared with what it is of, but is not in force."""
    ours, _ = _parts(old)
    draft = target.with_name(f"{DRAFT}-{target.name}")
    await run_sync(_forget, draft)
    if _is_left_over(old, target):
        target.rename(draft)
        await run_sync(_forget, draft)
    try:
        files.make_folder(draft)
        done = await run_sync(_copy, ours, old, draft)
        await backup_files.settled(draft / DATABASE_NAME)
        if done != await run_sync(_hashes, [draft / part.name for part in ours], draft):
            raise Storage(f"What was written to {str(draft)!r} does not read as it was. Nothing was moved.")
        await run_sync(_put, draft / MOVED_FROM, str(old))
        await run_sync(_name, draft, target)
    finally:
        await run_sync(_forget, draft)
    return done


def _name(draft: Path, target: Path) -> None:
    if target.is_dir():
        target.rmdir()  # it is empty, and may not be replaced everywhere
    draft.rename(target)
    files.sync_folder(target.parent)


def _forget(draft: Path) -> None:
    """Remove a copy of ours that is not finished."""
    if draft.is_dir():
        shutil.rmtree(draft)


def _put(path: Path, text: str) -> None:
    files.replace(path, text)
    files.sync_folder(path.parent)


def _copy(parts: Sequence[Path], root: Path, target: Path) -> Copied:
    """Copy each file with its times to the disk; a link as a link."""
    for folder in {path.parent for part in parts for path in _files(part)}:
        files.make_folder(target / folder.relative_to(root))
    for path in (path for part in parts for path in _files(part)):
        place = target / path.relative_to(root)
        if path.is_symlink():
            place.symlink_to(path.readlink())
        else:
            files.copy(path, place)
            files.sync(place)
    for folder, _, _ in os.walk(target, topdown=False):
        files.sync_folder(Path(folder))
    return _hashes(parts, root)


def _hashes(parts: Sequence[Path], root: Path) -> Copied:
    done = Copied()
    for path in (path for part in parts for path in _files(part)):
        name = path.relative_to(root).as_posix()
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            done.hashes[name] = f"-> {path.readlink()}"
        else:
            done.hashes[name] = backup_files.digest(path)
            done.size += path.stat().st_size
    return done


def _set_aside(old: Path) -> Path:
    """Rename what was moved, so that no program that knows nothing of it goes on with it."""
    aside = old / f"{ASIDE}-{datetime.now(UTC).strftime('%Y%m%dT%H%M%SZ')}"
    files.make_folder(aside)
    for part in reversed(_parts(old)[0]):  # the database first
        part.rename(aside / part.name)
    files.sync_folder(old)
    return aside


async def _told_folders(chosen: Settings, old: Path) -> list[str]:
    """Make the folders of workspaces name the new data root, as far as they can be reached."""
    told: list[str] = []
    db = await open_store(chosen)
    try:
        for workspace in await workspaces.with_folders(db):
            known = await run_sync(identity.read, workspace.folder)
            if known.workspace_id == workspace.workspace_id and known.fields.get("data_root") == str(old):
                root = str(chosen.data_root)
                told += await moved_folders.identify(db, workspace.folder, workspace, root, force=False)
    finally:
        await db.close()
    return told
