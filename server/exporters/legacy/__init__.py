"""Format `legacy`: the files of the old store. What is as it was imported is given back byte for byte.

A changed plan is its old file with the changes in it: unknown fields, the order of keys and the byte form stay. A plan
that was never imported is written as version 2 wrote them. The logs are given back as they were imported: what was
logged since has no place in the old shape.
"""

import zlib
from collections.abc import AsyncGenerator, Iterable
from dataclasses import replace
from itertools import groupby
from typing import Any

from server.db.interchange import exports
from server.db.interchange.exports import Rows
from server.db.storage.connection import Reader
from server.exporters.documents import file_name
from server.exporters.folder import File
from server.exporters.legacy import beside, entries, programs, states, unplaced, workspaces
from server.exporters.legacy.entries import Change
from server.exporters.legacy.unplaced import counted as left_out

__all__ = ["left_out", "one_plan", "store", "workspace"]

STATE = "state.json"
ARCHIVED = "plans/_archived/"
REGISTRY = "workspace-registry.json"

Imported = dict[str, Any]  # a row of import_files


async def store(db: Reader) -> AsyncGenerator[File]:
    """Yield the whole store: every workspace, then what belongs to none."""
    for workspace_id in await exports.workspaces(db):
        async for file in workspace(db, workspace_id):
            yield file
    registry: File | None = None
    for one in await exports.imported(db, None):
        file = await _given_back(db, one, "")
        if one["path"] == REGISTRY:
            registry = file
        elif file:
            yield file
    if file := await workspaces.registry(db, registry):
        yield file


async def workspace(db: Reader, workspace_id: str) -> AsyncGenerator[File]:
    """Yield the files of one workspace."""
    found = await _Workspace.read(db, workspace_id)
    for folder, group in groupby(found.files, lambda one: _folder(one["path"])):
        async for file in found.files_of(folder, list(group)):
            yield file
    async for file in found.never_imported():
        yield file


async def one_plan(db: Reader, plan_id: str) -> AsyncGenerator[File]:
    """Yield the files of one plan, and the one that says which workspace it is in."""
    found = await _Workspace.read(db, await exports.workspace_of(db, plan_id) or "")
    folder = _folder(found.plan_paths.get(plan_id, ""))
    listed = [one for one in found.files if one["path"] == workspaces.META]
    async for file in found.files_of(None, listed):
        yield file
    if not listed:
        yield await workspaces.new_meta(db, found.workspace_id, found.root)
    if folder:
        async for file in found.files_of(folder, [one for one in found.files if _folder(one["path"]) == folder]):
            yield file
    else:
        async for file in found.new_plan(plan_id):
            yield file


def _folder(path: str) -> str | None:
    """Return the folder of the plan or program that a file belongs to, or None."""
    parts = path.split("/")
    if parts[0] not in ("plans", "programs") or len(parts) < 3:
        return None
    if path.startswith(ARCHIVED):
        return "/".join(parts[:3]) if len(parts) > 3 else None
    return "/".join(parts[:2])


async def _bytes(db: Reader, one: Imported) -> bytes | None:
    raw = await exports.raw(db, one["file_id"])
    return zlib.decompress(raw) if raw is not None else None


async def _given_back(db: Reader, one: Imported, root: str) -> File | None:
    data = await _bytes(db, one)
    return None if data is None else File(f"{root}{one['path']}", data, modified_at=one["modified_at"])


class _Workspace:
    """One workspace on its way into files: where it goes, which files it came from, which plans and programs it has."""

    def __init__(self, db: Reader, workspace_id: str, root: str) -> None:
        self.db = db
        self.workspace_id = workspace_id
        self.root = root
        self.files: list[Imported] = []
        self.plan_paths: dict[str, str] = {}
        self.plan_of: dict[str, str] = {}
        self.plans: set[str] = set()
        self.programs: set[str] = set()
        self.in_programs: set[str] = set()  # dependencies of plans that stand in files of programs
        self.waits: set[str] = set()  # dependencies that stood in files

    @classmethod
    async def read(cls, db: Reader, workspace_id: str) -> "_Workspace":
        found = cls(db, workspace_id, f"{await workspaces.folder(db, workspace_id)}/")
        found.files = await exports.imported(db, workspace_id)
        found.plan_paths = await exports.plan_folders(db, workspace_id)
        found.plan_of = {path: plan_id for plan_id, path in found.plan_paths.items()}
        found.plans = set(await exports.plans(db, workspace_id))
        found.programs = set(await exports.programs(db, workspace_id))
        listed = await exports.origins(db, workspace_id, "programs/")
        found.in_programs = {row["row_key"] for row in listed if row["table_name"] == "dependencies"}
        found.waits = await exports.imported_dependencies(db, workspace_id)
        return found

    async def files_of(self, folder: str | None, listed: list[Imported]) -> AsyncGenerator[File]:
        """Yield the imported files of a plan, of a program, or of neither, and what is new beside them."""
        plan_id = self.plan_of.get(f"{folder}/{STATE}")
        if folder is None:
            files = self._loose(listed)
        elif plan_id:
            files = self._plan(plan_id, folder, listed)
        elif folder.startswith("programs/"):
            files = self._program(folder, listed)
        else:
            files = self._as_they_came(listed)
        async for file in files:
            yield file

    async def never_imported(self) -> AsyncGenerator[File]:
        """Yield plans, programs and what else the workspace has that no import brought."""
        for plan_id in sorted(self.plans - self.plan_paths.keys()):
            async for file in self.new_plan(plan_id):
                yield file
        for program_id in sorted(self.programs - await exports.imported_programs(self.db, self.workspace_id)):
            rows = await exports.program(self.db, program_id)
            for file in programs.new_files(
                f"{self.root}programs/{file_name(program_id)}", entries.change([], rows), rows
            ):
                yield file
        rows = await exports.workspace(self.db, self.workspace_id)
        known = entries.change(await exports.own_origins(self.db, self.workspace_id), rows)
        for file in beside.new_files(self.root, known, self.workspace_id):
            yield file
        if workspaces.META not in {one["path"] for one in self.files}:
            yield await workspaces.new_meta(self.db, self.workspace_id, self.root)

    async def new_plan(self, plan_id: str) -> AsyncGenerator[File]:
        """Yield the files of a plan that was never imported."""
        rows = await exports.plan(self.db, plan_id)
        known, note = entries.change([], rows), unplaced.told(rows, self.waits)
        folder = f"{self.root}plans/{file_name(plan_id)}/"
        yield beside.brand_new(f"{folder}{STATE}", states.new(known), is_plan=True, note=note)
        for file in beside.new_files(folder, known, self.workspace_id, plan_id):
            yield file

    async def _as_they_came(self, listed: Iterable[Imported]) -> AsyncGenerator[File]:
        for one in listed:
            if file := await _given_back(self.db, one, self.root):
                yield file

    async def _plan(self, plan_id: str, folder: str, listed: list[Imported]) -> AsyncGenerator[File]:
        """Yield the files of an imported plan; none if it was deleted."""
        if plan_id not in self.plans:
            return
        rows = await exports.plan(self.db, plan_id)
        note = unplaced.told(rows, self.waits)
        for table in ("dependencies", "dependencies_archive"):
            waits = rows.get(table, [])
            rows[table] = [row for row in waits if row["dependency_id"] not in self.in_programs]
        origins = await exports.origins(self.db, self.workspace_id, f"{folder}/")
        members: Rows = {}
        if any(row["table_name"] == "programs" for row in origins):
            members = await exports.program(self.db, plan_id)
            rows["dependencies"] += members.get("dependencies", [])
            rows["programs"] = members.get("programs", [])
        known = entries.change(origins, rows)
        target = _moved(folder, is_archived=any(row.get("archived_at") for row in known.now["plans"].values()))
        for one in listed:
            if file := await self._file_of_plan(one, known, members, folder, target):
                yield replace(file, note=file.note or note) if file.is_plan else file
        for file in beside.new_files(f"{self.root}{target}/", known, self.workspace_id, plan_id):
            yield file

    async def _file_of_plan(self, one: Imported, known: Change, members: Rows, folder: str, target: str) -> File | None:
        data = await _bytes(self.db, one)
        if data is None:
            return None
        path = f"{self.root}{target}{one['path'].removeprefix(folder)}"
        if one["path"] != f"{folder}/{STATE}":
            return beside.with_changes(path, data, known, one["path"], one["modified_at"])

        def changed(value: Any) -> Any:
            state = states.changed(value, known)
            return programs.with_children(state, known, members) if known.now.get("programs") else state

        return beside.rewritten(path, data, changed, modified_at=one["modified_at"], is_plan=True)

    async def _program(self, folder: str, listed: list[Imported]) -> AsyncGenerator[File]:
        """Yield the files of a program; none if it was deleted."""
        origins = await exports.origins(self.db, self.workspace_id, f"{folder}/")
        program_id = next((row["row_key"] for row in origins if row["table_name"] == "programs"), None)
        if program_id is None:
            async for file in self._as_they_came(listed):
                yield file
            return
        if program_id not in self.programs:
            return
        members = await exports.program(self.db, program_id)
        known = entries.change(origins, members)
        for one in listed:
            data = await _bytes(self.db, one)
            if data is not None:
                path = f"{self.root}{one['path']}"
                yield programs.changed_file(path, data, known, members, one["modified_at"])
        there = {one["path"].rpartition("/")[2] for one in listed}
        wanted = [("risks.json", known.new("program_risks")), ("manifest.json", members.get("program_plans"))]
        missing = tuple(name for name, needed in wanted if needed and name not in there)
        for file in programs.new_files(f"{self.root}{folder}", known, members, missing):
            yield file

    async def _loose(self, listed: Iterable[Imported]) -> AsyncGenerator[File]:
        """Yield the files of the workspace itself."""
        known = entries.change(
            await exports.own_origins(self.db, self.workspace_id), await exports.workspace(self.db, self.workspace_id)
        )
        for one in listed:
            data = await _bytes(self.db, one)
            if data is None:
                continue
            if one["path"] == workspaces.META:
                yield await workspaces.changed_meta(self.db, self.workspace_id, self.root, data, known)
            elif one["path"].startswith(".projectmemory/"):
                yield File(one["path"], data, modified_at=one["modified_at"])
            elif file := beside.with_changes(f"{self.root}{one['path']}", data, known, one["path"], one["modified_at"]):
                yield file


def _moved(folder: str, *, is_archived: bool) -> str:
    """Return the folder a plan goes to: the one it came from, unless that is the archive's and it left the archive."""
    return folder if is_archived or not folder.startswith(ARCHIVED) else f"plans/{folder.removeprefix(ARCHIVED)}"
