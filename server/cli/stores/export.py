"""`export`: everything that the database holds, as files."""

import json
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path

import anyio

from server import files
from server.db.interchange import exports
from server.db.storage.connection import Reader
from server.db.workspaces import workspaces
from server.errors import InvalidArguments, NotFound
from server.exporters import folder
from server.exporters.folder import ExportOutcome, File
from server.exporters.formats import exporter_of
from server.settings import Flags, Settings, load
from server.store import open_store
from server.text.display import number_of

SHOWN = 10
NOTHING = "Nothing that is here goes into files of that format; --format json has all of it."


@dataclass(frozen=True)
class ExportRequest:
    """What to export, and where to."""

    destination: Path
    format: str = "json"
    workspace: str | None = None
    plan_id: str | None = None
    force: bool = False


def run(wanted: ExportRequest, flags: Flags, *, as_json: bool = False) -> int:
    """Write the export and say what was written; return the exit code."""
    return give_back(wanted, load(flags), as_json=as_json)


def give_back(wanted: ExportRequest, settings: Settings, *, as_json: bool = False) -> int:
    """Export from the database of `settings`, as `run` does."""
    exporter_of(wanted.format)
    settings.require_database()
    folder.check(wanted.destination, force=wanted.force)
    done = anyio.run(_export, settings, wanted)
    if as_json:
        print(json.dumps({"format": wanted.format, **asdict(done)}, ensure_ascii=False, indent=2))
    else:
        print("\n".join(_told(done)))
    return 0


def give_mission_back(mission: str | None, target: Path, settings: Settings) -> int:
    """Write the file of one mission of vibe-agency: the one with that id, or the active one."""
    settings.require_database()
    if target.exists():
        raise InvalidArguments(f"{str(target)!r} is there already; nothing was written. Name a file that is not there.")
    print(f"Wrote {anyio.run(_mission, settings, mission, target)} to {target}")
    return 0


async def _mission(settings: Settings, mission: str | None, target: Path) -> str:
    from server.exporters import vibe_agency

    db = await open_store(settings)
    try:
        async with exports.snapshot(db) as reader:
            file = await vibe_agency.mission(reader, mission)
            files.replace(target, file.content.decode())
            return file.path
    finally:
        await db.close()


async def _export(settings: Settings, wanted: ExportRequest) -> ExportOutcome:
    db = await open_store(settings)
    try:
        async with exports.snapshot(db) as reader:
            workspace_id = await _workspace(reader, wanted.workspace) if wanted.workspace else None
            written = await _files(reader, wanted, workspace_id)
            done = await folder.write(wanted.destination, written, format=wanted.format, force=wanted.force)
            if left_out := getattr(exporter_of(wanted.format), "left_out", None):
                done.left_out = await left_out(reader, workspace_id, wanted.plan_id)
            return done
    finally:
        await db.close()


async def _files(reader: Reader, wanted: ExportRequest, workspace_id: str | None) -> AsyncIterator[File]:
    """Return the files that are wanted: of a plan, of a workspace, or of everything."""
    layout = exporter_of(wanted.format)
    if wanted.plan_id is None:
        return layout.workspace(reader, workspace_id) if workspace_id else layout.store(reader)
    found = await exports.workspace_of(reader, wanted.plan_id)
    if found is None or (workspace_id and found != workspace_id):
        where = f" in the workspace {workspace_id}" if workspace_id else ""
        raise NotFound(f"There is no plan {wanted.plan_id!r}{where}.").about("plan")
    return layout.one_plan(reader, wanted.plan_id)


async def _workspace(reader: Reader, named: str) -> str:
    """Return the id of the workspace that an id, an alias or a path names."""
    path = str(Path(named).expanduser().resolve())
    by_path = [one.workspace_id for one in await workspaces.all_(reader) if one.path in (named, path)]
    return by_path[0] if by_path else (await workspaces.require(reader, named)).workspace_id


def _told(done: ExportOutcome) -> list[str]:
    size = f"{done.size / 1_000_000:.1f} MB" if done.size >= 100_000 else f"{done.size} bytes"
    lines = [f"Wrote {number_of(done.files, 'file')}, {done.plans} of them plans, {size}, to {done.folder}"]
    if not done.files:
        lines.append(NOTHING)
    if done.plans < done.plans_before:
        lines.append(f"Fewer plans were written than were there: {done.plans} over {done.plans_before}.")
    if done.left_over:
        lines.append(f"{len(done.left_over)} files of plans that are not in this export were left as they are:")
        lines += [f"  {path}" for path in done.left_over[:SHOWN]]
        lines += [f"  and {more} more"] if (more := len(done.left_over) - SHOWN) > 0 else []
    if done.left_out:
        lines.append("Left out, since the old shape has no place for it (--format json has all of it):")
        lines += [f"  {number} {what}" for what, number in done.left_out.items()]
    return lines + [f"Note: {note}" for note in done.notes]
