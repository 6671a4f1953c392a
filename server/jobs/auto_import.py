"""Stores of a folder imported by the server itself: copied aside, imported, verified, and left as they are."""

import hashlib
import logging
import re
import secrets
import shutil
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path

from anyio.to_thread import run_sync

from server import calls
from server.db.storage.connection import Reader
from server.db.workspaces import workspaces
from server.errors import ProjectMemoryError, Storage
from server.files import copy, make_folder
from server.files import replace as replace_file
from server.importers import Recognised, recognise, recognise_all
from server.importers.layout import SourceFile
from server.importers.report import NOTHING, ImportReport, together, written
from server.importers.run import Options, import_path
from server.models.workspaces import LegacyStore, Relative
from server.settings import COPIES, Settings
from server.store import Store
from server.tools.older_stores import OlderStore

logger = logging.getLogger(__name__)

Told = Callable[[str, int, int], Awaitable[None]]  # what is done, how much of it, of how much


async def adopt(store: Store, found: OlderStore, told: Told) -> LegacyStore:
    """Import the stores that a folder has; what goes wrong is in the result."""
    try:
        return await _adopt(store, found, told)
    except ProjectMemoryError as error:
        logger.warning("the older store of %s was not imported: %s", found.folder, error)
        return LegacyStore(path=found.folder, status="failed", programs=tuple(found.programs), reason=str(error))


def _recognised(found: OlderStore) -> list[Recognised]:
    """Return the stores that were noticed, and nothing else that the folder may hold."""
    folder = Path(found.folder)
    theirs = [one for name in found.programs for one in recognise_all(folder, name)]
    ours = recognise(folder) if found.workspaces or not theirs else None
    return [*([ours] if ours else []), *theirs]


async def _adopt(store: Store, noticed: OlderStore, told: Told) -> LegacyStore:
    folder, programs = noticed.folder, tuple(noticed.programs)
    found = await run_sync(_recognised, noticed)
    if not found:
        why = "no store of a layout that is known"
        return LegacyStore(path=folder, status="failed", programs=programs, reason=why)
    await told("Copying", 0, 1)
    copy = await run_sync(_copy_aside, found, store.settings)
    logger.warning("copied the older store of %s to %s before importing it", folder, copy)

    db = await store.open()
    options = Options(workspace_path=folder if noticed.has_moved else None)
    reports = [
        await import_path(db, Path(folder), replace(options, layout=layout.NAME), partial(calls.answer, store), told)
        for layout, _ in found
    ]
    report = together(reports)
    kept = await run_sync(_keep, report, copy.with_name(f"{copy.name}.report.json"))
    what = "was not imported" if report.exit_code == NOTHING else f"was imported, with {report.problems} problems"
    logger.warning("the older store of %s %s; the report is %s", folder, what, kept)
    return LegacyStore(
        path=folder,
        status="failed" if report.exit_code == NOTHING else "imported",
        programs=programs,
        reason=_reason(report) if report.exit_code == NOTHING else None,
        plans=sum(report.rows.get("plans", {}).values()),
        problems=report.problems,
        report=str(kept),
        copied_to=str(copy),
        elsewhere=await _elsewhere(db, report, folder),
    )


async def _elsewhere(db: Reader, report: ImportReport, folder: str) -> list[Relative]:
    """Return the workspaces that the plans went to, if they are not the one of the folder."""
    there = [await workspaces.find(db, part.workspace_id) for part in report.parts if part.workspace_id]
    return [
        Relative(workspace_id=one.workspace_id, name=one.label, path=one.path)
        for one in there
        if one and one.path not in (None, folder)
    ]


def _reason(report: ImportReport) -> str:
    """Return the first line of the report that tells why nothing was imported."""
    return next((f"{line.path}: {line.what}" for line in report.findings if line.severity == "error"), "it is empty")


def _copy_aside(found: list[Recognised], settings: Settings) -> Path:
    """Copy every file of stores into the data root, once for each state of them; return the copy's folder."""
    files = [file for layout, source in found for file in layout.files(source) if not file.odd]
    state = "\n".join(_told_apart(files))
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", found[0][1].root.name).strip(".") or "store"
    target = settings.data_root / COPIES / f"{name}-{hashlib.sha256(state.encode()).hexdigest()[:12]}"
    if target.is_dir():
        return target
    partial = target.with_name(f"{target.name}.{secrets.token_hex(4)}.partial")
    try:
        _copy(files, partial)
        partial.rename(target)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        if not target.is_dir():  # else another server was faster
            raise Storage(f"The store could not be copied to {str(target)!r} first: {error.strerror}.") from error
    return target


def _copy(files: list[SourceFile], folder: Path) -> None:
    make_folder(folder)
    for file in files:
        place = folder / _name(file.owner) / file.path if file.owner is not None else folder / file.path
        copy(file.location, place)


def _told_apart(files: list[SourceFile]) -> Iterator[str]:
    for file in files:
        found = file.location.stat(follow_symlinks=False)
        yield f"{file.location} {found.st_size} {found.st_mtime_ns}".encode("utf-8", "surrogateescape").hex()


def _name(owner: str) -> str:
    """Return the folder of a workspace in a copy; its id came out of a file, and may be anything."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", owner)[:100]
    return plain if plain == owner else f"{plain}-{hashlib.sha256(owner.encode('utf-8', 'replace')).hexdigest()[:8]}"


def _keep(report: ImportReport, path: Path) -> Path:
    try:
        replace_file(path, chain(written(report), ["\n"]))
    except OSError as error:
        raise Storage(f"The report cannot be written to {str(path)!r}: {error.strerror}.") from error
    return path
