"""One import from a path to a report: recognise, read, stage, decide, apply per workspace, verify."""

import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import anyio

from server.db.interchange import import_differences, import_kept, import_merge, import_runs, import_writing, imports
from server.db.interchange.import_merge import Decided
from server.db.interchange.import_runs import Run
from server.db.interchange.import_writing import Unfit
from server.db.interchange.imports import ImportOutcome
from server.db.interchange.scratch import STORE, Stage
from server.db.storage.connection import Database, Reader
from server.db.storage.table_shapes import defaults_of_tables
from server.db.workspaces import workspaces
from server.errors import Busy, Conflict, InvalidArguments, ProjectMemoryError
from server.importers import OURS, Recognised, names, recognise_all, verify
from server.importers.layout import Ask, Known, RecognisedSource, SourceWorkspace
from server.importers.listing import FileListing, listed
from server.importers.merged import MergedWorkspaces
from server.importers.report import ImportReport, WorkspaceOutcome, together
from server.importers.values import derived
from server.importers.verify import Job, Progress
from server.models.imports import Finding, Findings, ImportBatch, of
from server.models.workspaces import Workspace

ATTEMPTS = 5
NEAR = 4  # folders around a path that may be meant, if they are a store
MARKDOWN = (".md", ".markdown")
KNOWN_LAYOUTS = (
    "neither a data root (whose folders have a workspace.meta.json) nor one of its folders, the folder of a plan (with "
    "a state.json), a .projectmemory folder, a project that has one, an export of documents, or a store of {0}"
)
GONE = "no longer there, though it was imported"
DRAFTS = 8  # read in one go of the worker thread


OnConflict = Literal["merge", "overwrite", "rename"]


@dataclass(frozen=True)
class Options:
    """How to import. `workspace_path` stands for the path that the store has for its only workspace. `layout` is the
    only one to look for. `with_secrets` keeps what is blanked out else. `on_conflict` says what counts where both sides
    changed: what is here (merge), the source (overwrite), or both, beside each other (rename).
    """

    dry_run: bool = False
    workspace_path: str | None = None
    layout: str | None = None
    with_secrets: bool = False
    on_conflict: OnConflict = "merge"


async def silent(what: str, done: int, total: int) -> None:
    """Show no progress."""
    del what, done, total


async def import_path(
    db: Database, path: Path, options: Options, ask: Ask | None = None, progress: Progress = silent
) -> ImportReport:
    """Import what `path` is, and compare the result with it if `ask` can ask the tools.

    Raises InvalidArguments for options that do not fit the source. Everything else is in the report.
    """
    reports: list[ImportReport] = []
    made: frozenset[str] = frozenset()  # workspaces, by the layouts before
    for recognised in await _recognised(path, options):
        report = await _import_one(db, path, options, recognised, made, ask=ask, progress=progress)
        made |= {part.workspace_id for part in report.parts if part.workspace_id}
        reports.append(report)
    return together(reports) if reports else await _nothing(path, options)


async def _recognised(path: Path, options: Options) -> list[Recognised]:
    if options.layout is not None and options.layout not in names():
        known = ", ".join(names())
        raise InvalidArguments(f"--as {options.layout!r} is no layout that is known. Use one of: {known}.")
    return await anyio.to_thread.run_sync(recognise_all, path, options.layout)


async def _nothing(path: Path, options: Options, *, compared: bool = False) -> ImportReport:
    why = await anyio.to_thread.run_sync(nothing_at, path, options.layout)
    found = Findings([why] if why else [])
    return ImportReport(str(path), dry_run=options.dry_run, compared=compared, findings=found)


async def _import_one(
    db: Database,
    path: Path,
    options: Options,
    recognised: Recognised,
    made: frozenset[str],
    *,
    ask: Ask | None,
    progress: Progress,
) -> ImportReport:
    begun = time.perf_counter()
    report = ImportReport(str(path), recognised[0].NAME, dry_run=options.dry_run)
    job, listing = await _found(db, options, recognised, report, made, ask=ask, progress=progress)
    same = not job.overwrites and not listing.changed and not listing.vanished
    if same and listing.total and not await import_runs.is_open(db, [*job.known.targets.values(), STORE]):
        _tell_unchanged(report, listing)
    else:
        await _import(job, listing)
    report.seconds = time.perf_counter() - begun
    return report


def nothing_at(path: Path, layout: str | None = None) -> Finding | None:
    """Return why there is nothing to import at a path, and what else may be meant; None if there is something."""
    if layout is not None and layout not in names():
        return None  # which is refused with the names of those that are known
    if recognise_all(path, layout):
        return None
    if layout is not None and os.path.lexists(path):
        return Finding("error", str(path), "$", f"no store of the layout {layout!r}")
    around = next((folder for folder in path.absolute().parents[:NEAR] if recognise_all(folder)), None)
    return Finding("error", str(path), "$", _why(path) + (f". Did you mean {around}?" if around else ""))


def _why(path: Path) -> str:
    if not os.path.lexists(path):
        return "there is nothing at this path"
    if path.suffix.lower() in MARKDOWN:
        return (
            "a Markdown file, which is no store. A plan is made of its checklist by the tool memory_plan, "
            "action='import' with plan_file_path (a file of the workspace) or content (the text of any other)"
        )
    if not path.is_dir():
        return "a file; give the folder of the store"
    try:
        empty = next(path.iterdir(), None) is None
    except OSError as error:
        return f"the folder cannot be read: {error.strerror}"
    return "an empty folder" if empty else f"no store of a layout that is known: {_known_layouts()}"


def _known_layouts() -> str:
    return KNOWN_LAYOUTS.format(", ".join(name for name in names() if name not in OURS))


async def _found(
    db: Database,
    options: Options,
    recognised: Recognised,
    report: ImportReport,
    made: frozenset[str] = frozenset(),
    *,
    ask: Ask | None,
    progress: Progress,
) -> tuple[Job, FileListing]:
    """Return a source with its files, as they are beside what they were."""
    layout, source = recognised
    known = await known_to(db, source, options)
    known = replace(known, there=known.there | made)
    merged = MergedWorkspaces.of(known, known.earlier.keys())
    listing = await anyio.to_thread.run_sync(listed, Path(report.source), layout, source, known, merged)
    overwrites = options.on_conflict == "overwrite"
    return Job(db, layout, source, known, merged, report, ask, progress, overwrites), listing


async def known_to(db: Reader, source: RecognisedSource, options: Options) -> Known:
    """Return what the database knows of a source before it is read."""
    given = options.workspace_path
    if given and len(source.workspaces) != 1:
        raise InvalidArguments(
            f"--workspace-path fits a store with one workspace; this one has {len(source.workspaces)}: "
            f"{', '.join(found.workspace_id for found in source.workspaces)[:500]}. Import one folder of them."
        )
    targets: dict[str, str] = {}
    paths: dict[str, str] = {}
    known = {found.workspace_id: await imports.target_of(db, found.workspace_id) for found in source.workspaces}
    formers = await imports.merged(db, known)
    for found in sorted(source.workspaces, key=lambda one: known[one.workspace_id] != one.workspace_id):
        path = given or found.path
        at_path = await imports.workspace_at(db, path) if path is not None else None
        target = known[found.workspace_id] or at_path or found.workspace_id
        if target in targets.values() and found.workspace_id not in formers:  # by an import two never become one
            target = found.workspace_id
            paths[target] = f"unknown:{target}"
        if options.on_conflict == "rename" and await workspaces.find(db, target):
            target = _another(found, target, db.now())
        targets[found.workspace_id] = target
        there = await workspaces.find(db, target)
        if given and there and at_path != target:
            raise InvalidArguments(_is_elsewhere(given, there))
        if given and there is None:
            paths[target] = given
        elif there and there.workspace_id == target and there.path is not None:
            paths[target] = there.path
    earlier = await imports.known_files(db, {*targets.values(), None})
    there = frozenset([target for target in targets.values() if await workspaces.find(db, target)])
    columns = await defaults_of_tables(db)
    taken = await imports.plans_elsewhere(db, targets.values())
    born = await imports.born_here(db, targets.values())
    renamed = f" {db.now()[:19]}" if options.on_conflict == "rename" else ""
    return Known(targets, paths, earlier, db.now(), formers, there, columns, options.with_secrets, taken, born, renamed)


def _is_elsewhere(given: str, there: Workspace) -> str:
    whose = f"whose folder is {there.path!r}" if there.path else "which has no folder"
    return (
        f"--workspace-path {given!r}: the store was imported into the workspace {there.workspace_id} already, {whose}. "
        "Import it without that; `project-memory move OLD NEW` tells of a project that moved."
    )


def _another(found: SourceWorkspace, there: str, now: str) -> str:
    """Return the id of a workspace that stands beside the one that is there."""
    if found.path is not None:
        raise InvalidArguments(
            f"--on-conflict rename is for what belongs to no project; {found.path!r} is one, and has the workspace "
            f"{there}. Use merge or overwrite."
        )
    return derived("ws", found.workspace_id, now)


def _tell_unchanged(report: ImportReport, listing: FileListing) -> None:
    """Report a store as it was at the last import, with the files that failed then and would now."""
    report.parts = [
        WorkspaceOutcome(workspace_id, files={"unchanged": counts["unchanged"]})
        for workspace_id, counts in listing.counts.items()
    ]
    report.findings += listing.failed


async def _import(job: Job, listing: FileListing) -> None:
    with tempfile.TemporaryDirectory(prefix="project-memory-import-", ignore_cleanup_errors=True) as folder:
        stage = Stage(Path(folder) / "stage.db", job.report.findings)
        try:
            read = job.layout.read(job.source, job.merged.former(job.known))
            await _stage(stage, job.merged.batches(read), job.progress, listing.total)
            stage.miss(listing.vanished)
            imports.mark_known(stage, job.known.earlier)
            await import_kept.keep(job.db, stage)
            units, unwritten = stage.units(), set[str | None]()
            for number, unit in enumerate(units):
                await job.progress("Writing", number, len(units))
                job.report.parts.append(part := await _tried(job, stage, unit))
                unwritten |= {part.workspace_id} if part.rows == {} and set(part.files) == {"failed"} else set()
            if not job.report.dry_run:
                await verify.imported(job, stage)
                job.report.differences = Findings(
                    one for one in job.report.differences if one.workspace_id not in unwritten
                )
        finally:
            stage.close()


async def _stage(stage: Stage, drafts: Iterator[ImportBatch], progress: Progress, total: int) -> None:
    """Read and map on a thread of its own, a few drafts at a time."""
    done = 0
    while (read := await anyio.to_thread.run_sync(_some, stage, drafts)) is not None:
        done += read
        await progress("Reading", min(done, total), total)


def _some(stage: Stage, drafts: Iterator[ImportBatch]) -> int | None:
    """Stage a few drafts and return how many files they account for; None at the end."""
    found = list(islice(drafts, DRAFTS))
    for draft in found:
        stage.add(draft)
    return sum(len(draft.files) for draft in found) if found else None


async def _tried(job: Job, stage: Stage, unit: str) -> WorkspaceOutcome:
    """Write one workspace. One that cannot be written costs the others nothing."""
    try:
        return await _make_real(job, stage, unit)
    except ProjectMemoryError as error:
        what = f"this workspace was not imported whole: {error} {_remedy(error)}"
        job.report.findings.append(Finding("error", unit or job.report.source, "$", what, workspace_id=unit or None))
        failed = sum(imports.counted(stage, unit).files.values())
        stage.drop(unit)  # there is nothing to verify
        return WorkspaceOutcome(unit or None, files={"failed": failed})


def _remedy(error: ProjectMemoryError) -> str:
    if isinstance(error, Unfit):
        return f"So it was {ATTEMPTS} times, and will be again: mend the source if that is wrong, or report this line"
    return "Import it again to complete it"


async def _make_real(job: Job, stage: Stage, unit: str) -> WorkspaceOutcome:
    """Write one workspace; begin anew when the database changed under what was decided, or stayed locked."""
    for attempt in range(ATTEMPTS):
        if not job.report.dry_run:
            await import_runs.wait_for_others(job.db, unit)
        decided = await import_merge.decide(job.db, stage, unit, overwrites=job.overwrites)
        imports.left_out(stage, unit)
        imports.come_back(stage, unit)
        try:
            written = await _written(job, stage, unit, decided)
        except (Conflict, Busy):
            if attempt == ATTEMPTS - 1:
                raise
            continue
        job.report.findings += of(unit or None, decided.findings)
        return WorkspaceOutcome(unit or None, written.counts, written.files, written.seconds, written.run_id)
    raise AssertionError  # the last attempt returned or raised


async def _written(job: Job, stage: Stage, unit: str, decided: Decided) -> ImportOutcome:
    if job.report.dry_run:
        return imports.counted(stage, unit)
    told = _summary(job.report, decided)
    run = Run(unit, job.layout.NAME, job.report.source)
    return await import_writing.apply(job.db, stage, run, decided, told)


def _summary(report: ImportReport, decided: Decided) -> dict[str, Any]:
    """Return what the database keeps of the report: how many lines of each kind there were."""
    return {"lines": dict(report.findings.counts + decided.findings.counts)}


async def verify_path(
    db: Database, path: Path, options: Options, ask: Ask, progress: Progress = silent
) -> ImportReport:
    """Compare a source with the database, long after its import; what was changed on purpose shows as well."""
    reports: list[ImportReport] = []
    for recognised in await _recognised(path, options):
        begun = time.perf_counter()
        report = ImportReport(str(path), recognised[0].NAME, compared=True)
        job, listing = await _found(db, options, recognised, report, ask=ask, progress=progress)
        _compare_files(report, listing)
        was_imported = any(file.layout == report.layout for file in job.known.earlier.values())
        await _compare_rows(job, has_changed=was_imported and bool(report.differences))
        report.differences += await import_differences.broken_references(db)
        report.seconds = time.perf_counter() - begun
        reports.append(report)
    return together(reports) if reports else await _nothing(path, options, compared=True)


def _every(plan_id: str) -> bool:
    del plan_id
    return True


async def _compare_rows(job: Job, *, has_changed: bool) -> None:
    """Compare the tools and the tables with the source: what was edited here is told as that, and once."""
    with tempfile.TemporaryDirectory(prefix="project-memory-verify-", ignore_cleanup_errors=True) as folder:
        stage = Stage(Path(folder) / "stage.db", Findings())
        try:
            read = job.layout.read(job.source, job.merged.former(job.known))
            await _stage(stage, job.merged.batches(read), job.progress, 0)
            await import_kept.keep(job.db, stage)
            await verify.compare(job, stage, _every, 0)
            found = await import_differences.differing(job.db, stage, has_changed=has_changed, now=job.known.now)
        finally:
            stage.close()
    told = {(one.path, one.json_path) for one in found}
    kept = Findings(one for one in job.report.differences if (one.path, one.json_path) not in told)
    kept += found
    job.report.differences = kept


def _compare_files(report: ImportReport, listing: FileListing) -> None:
    """Report which files changed since they were imported, or never were."""
    report.differences += listing.changed
    report.differences += [Finding("warning", path, "$", GONE, workspace_id=unit) for unit, path in listing.vanished]
    report.parts += [WorkspaceOutcome(workspace_id, files=counts) for workspace_id, counts in listing.counts.items()]
