"""Our own JSON documents: what `export --format json` writes, a part of it, or the folder of a mirror."""

import hashlib
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, cast

from server.db.interchange.scratch import STORE, file_id
from server.db.storage import migrations
from server.errors import ProjectMemoryError
from server.importers.answers import every, whole
from server.importers.layout import Ask, Known, RecognisedSource, SourceFile, SourceWorkspace
from server.importers.reading import Content, Entry, UnreadableFile, absent, json_of, walk
from server.importers.reading import read as read_file
from server.models.documents import FORMAT, KINDS, MANIFEST, VERSION, Document, digest, unpacked
from server.models.imports import FileEntry, Finding, ImportBatch, ImportedRow
from server.settings import ASSETS

NAME: str = "documents"
ARCHIVE = "_archive"
FEW = 3  # documents that are looked at to tell which workspace a folder is
HEAD = "workspace.json"
# Keys of several columns; every other table has its key in its first one.
KEY_LENGTHS = {
    "program_plans": 2,
    "program_workspace_links": 2,
    "workspace_instructions": 2,
    "workspace_skills": 2,
    "workspace_agents": 2,
    "import_rows": 2,
    "deployed_files": 4,
    "step_counts": 2,
}
NUMBERED = {"event_log": "event_id", "update_log": "log_id"}
DEFINITIONS = ("agent_definitions", "instruction_files", "skill_definitions")
SHOWN = ("title", "description", "category", "priority", "goals", "success_criteria")
STEP = ("step_id", "task", "status", "type", "assignee", "notes")
EMPTY: tuple[object, ...] = (None, "", [], {}, False)


class Damaged(Exception):
    """The document cannot be used; the message says why."""


@dataclass
class DocumentsOfWorkspace:
    """One workspace of the folder: its documents, with paths relative to its own folder."""

    workspace_id: str
    path: str
    entries: list[Entry] = field(default_factory=list[Entry])
    parent: str | None = None
    aliases: tuple[str, ...] = ()
    has_programs: bool = False


@dataclass
class DocumentTree:
    """A recognised folder: its workspaces, parents and owners of programs first, and the files of none of them."""

    places: list[DocumentsOfWorkspace]
    others: list[Entry]


def recognise(path: Path) -> RecognisedSource | None:
    """Return the documents that a folder, the folder of one workspace in it, or one plan's file holds."""
    tree = _one_plan(path) if path.is_file() else _folder(path) if path.is_dir() else None
    if tree is None:
        return None
    known = tuple(SourceWorkspace(place.workspace_id, place.path, place.aliases) for place in tree.places)
    return RecognisedSource(NAME, path, known, tree)


def files(source: RecognisedSource) -> Iterator[SourceFile]:
    """Yield every file of the folder."""
    tree: DocumentTree = source.detail
    for place in tree.places:
        for entry in place.entries:
            yield SourceFile(place.workspace_id, entry.path, entry.location, entry.odd)
    for entry in tree.others:
        yield SourceFile(None, entry.path, entry.location, entry.odd)


def read(source: RecognisedSource, known: Known) -> Iterator[ImportBatch]:
    """Yield what the documents become, one after the other."""
    tree: DocumentTree = source.detail
    reader = _Reader(tree, known)
    for place in tree.places:
        for entry in place.entries:
            yield reader.draft(place, entry)
        yield from reader.definitions(place)
        yield reader.missing(place)
    for entry in tree.others:
        yield reader.draft(None, entry)


async def check(
    source: RecognisedSource, known: Known, ask: Ask, wanted: Callable[[str], bool]
) -> AsyncGenerator[tuple[str | None, list[Finding]]]:
    """Compare each wanted plan with what the tools return of it."""
    del known  # plans keep their ids wherever they are
    tree: DocumentTree = source.detail
    for place in tree.places:
        for entry in place.entries:
            document = _tolerant(entry, "plan")
            if document and isinstance(plan_id := document.get("plan_id"), str) and wanted(plan_id):
                yield plan_id, await _differences(entry.path, plan_id, document, ask)


# Finding documents


def _one_plan(path: Path) -> DocumentTree | None:
    entry = Entry(f"plans/{path.name}", path)
    document = _tolerant(entry, "plan")
    if document is None:
        return None
    return DocumentTree([_place_of(document, [entry])], [])


def _folder(path: Path) -> DocumentTree | None:
    if (path / HEAD).is_file() and (place := _place(path)):
        return DocumentTree([place], [])
    folders = [folder for folder in sorted(path.iterdir()) if folder.is_dir() and not folder.is_symlink()]
    hidden = {folder.name for folder in folders if folder.name.startswith(".")}  # a mirror's own, and that of git
    places = [place for folder in folders if folder.name not in hidden and (place := _place(folder))]
    manifest = path / MANIFEST
    if not places and not (manifest.is_file() and _tolerant(Entry(MANIFEST, manifest), "folder")):
        return None
    inside = {place.entries[0].location.relative_to(path).parts[0] for place in places}
    return DocumentTree(_ordered(places), list(walk(path, without=inside | hidden)))


def _place(folder: Path) -> DocumentsOfWorkspace | None:
    """Return the workspace that a folder holds: as its own document says, else as that of its first plan does."""
    if not (folder / HEAD).is_file() and next((folder / "plans").glob("*.json"), None) is None:
        return None  # any folder may be asked about: it is not walked in vain
    entries = sorted(walk(folder), key=lambda entry: (entry.path != HEAD, entry.path))
    plans = [entry for entry in entries if PurePosixPath(entry.path).match("plans/*.json")]
    for entry in [*entries[:1], *plans[:FEW]]:
        kind = "workspace" if entry.path == HEAD else "plan"
        if (document := _tolerant(entry, kind)) and isinstance(document.get("workspace_id"), str):
            return _place_of(document, entries)
    return None


def _place_of(document: Document, entries: list[Entry]) -> DocumentsOfWorkspace:
    tables = cast(dict[str, list[dict[str, Any]]], document.get("tables") or {})
    heads = tables.get("workspaces") or [{}]
    aliases = tuple(str(row.get("alias")) for row in tables.get("workspace_aliases", []) if row.get("kind") != "path")
    owns = any(entry.path.startswith("programs/") for entry in entries)
    parent = heads[0].get("parent_workspace_id")
    return DocumentsOfWorkspace(
        document["workspace_id"], str(heads[0].get("path") or ""), entries, parent, aliases, owns
    )


def _ordered(places: Sequence[DocumentsOfWorkspace]) -> list[DocumentsOfWorkspace]:
    """Return workspaces so that a parent comes before its children; owners of programs come as early as they can."""
    waiting = sorted(places, key=lambda place: (not place.has_programs, place.workspace_id))
    known = {place.workspace_id for place in waiting}
    done: list[DocumentsOfWorkspace] = []
    while waiting:
        there = {place.workspace_id for place in done}
        free = (place for place in waiting if place.parent not in known or place.parent in there)
        chosen = next(free, waiting[0])
        waiting.remove(chosen)
        done.append(chosen)
    return done


# Reading documents


def _tolerant(entry: Entry, kind: str) -> Document | None:
    """Return a document of that kind, whatever state it is in, or None."""
    try:
        value = json_of(read_file(entry)) if entry.odd is None else None
    except (OSError, UnreadableFile):
        return None
    found = cast(Document, value) if isinstance(value, dict) else {}
    return found if found.get("format") == FORMAT and found.get("kind") == kind else None


def _checked(content: Content) -> Document:
    """Return the document of a file, or raise Damaged with what is wrong with it."""
    try:
        value = json_of(content)
    except UnreadableFile as error:
        raise Damaged(str(error)) from error
    found = cast(Document, value) if isinstance(value, dict) else {}
    if found.get("format") != FORMAT:
        raise Damaged(f"no document of ours: its format is {found.get('format')!r}")
    version, schema = found.get("format_version"), found.get("schema_version", 0)
    if not isinstance(version, int) or version > VERSION:
        raise Damaged(f"its format version is {version!r}, and this server reads up to {VERSION}: use a newer server")
    newest = migrations.load(ASSETS / "migrations")[-1].number
    if not isinstance(schema, int) or schema > newest:
        raise Damaged(f"its schema version is {schema!r}, and this server knows up to {newest}: use a newer server")
    if found.get("kind") == "folder":
        return found
    if found.get("kind") not in KINDS or not isinstance(found.get("tables"), dict):
        raise Damaged(f"an unknown kind of document: {found.get('kind')!r}")
    if found.get("sha256") != digest(found):
        raise Damaged("its content does not match its hash: it was edited, or damaged; export it again")
    return found


class _Reader:
    """Turns documents into drafts."""

    def __init__(self, tree: DocumentTree, known: Known) -> None:
        self.known = known
        self.order = [place.workspace_id for place in tree.places]
        self.programs: dict[str, str] = {}  # program -> workspace, of the documents read so far
        self.runs: set[str] = set()
        self.heads: set[str] = set()  # workspaces that were there
        self.about: dict[str, dict[str, Any]] = {}  # what plans say of workspaces without a document
        self.shared = [entry for entry in tree.others if entry.path == "global.json"]
        for place in tree.places:
            for entry in place.entries:
                if entry.path.startswith("programs/") and (document := _tolerant(entry, "program")):
                    self.programs[str(document.get("program_id"))] = place.workspace_id

    def draft(self, place: DocumentsOfWorkspace | None, entry: Entry) -> ImportBatch:
        target = self.known.targets[place.workspace_id] if place else None
        draft = ImportBatch(target)
        if entry.odd:
            draft.files.append(absent(entry, "skipped", entry.odd))
            draft.findings.append(Finding("warning", entry.path, "$", f"skipped: {entry.odd}"))
            return draft
        try:
            content = read_file(entry)
        except (OSError, UnreadableFile) as error:
            draft.files.append(absent(entry, "failed", str(error)))
            draft.findings.append(Finding("error", entry.path, "$", f"not read: {error}"))
            return draft
        self._map(draft, place, content)
        return draft

    def _map(self, draft: ImportBatch, place: DocumentsOfWorkspace | None, content: Content) -> None:
        """Add the rows of one file, or the one line that says why there are none."""
        if PurePosixPath(content.path).suffix != ".json":
            draft.files.append(_entry(content, "skipped", "no document"))
            return
        try:
            document = _checked(content)
            rows = list(self._rows(draft, place, document, content.path))
        except Damaged as error:
            draft.files.append(_entry(content, "failed", str(error)))
            draft.findings.append(Finding("error", content.path, "$", f"not imported: {error}"))
            return
        draft.rows += rows
        kind = str(document["kind"])
        draft.files.append(_entry(content, "imported", None, kind, document.get(f"{kind}_id")))

    def _rows(
        self, draft: ImportBatch, place: DocumentsOfWorkspace | None, document: Document, path: str
    ) -> Iterator[ImportedRow]:
        plan_id = document.get("plan_id")
        if document.get("archived") and plan_id:
            draft.archived.add(plan_id)
        if place and document["kind"] == "plan":
            self.about.setdefault(place.workspace_id, document)
        for table, listed in cast(dict[str, Any], document.get("tables", {})).items():
            name = table.removesuffix(ARCHIVE)
            own = plan_id if bool(draft.archived) == (name != table) else None  # what stays in place is no family
            for number, found in enumerate(_objects(listed, table)):
                where = f"$.tables.{table}[{number}]"
                try:
                    values = self._moved(unpacked(found))
                except ValueError as error:
                    raise Damaged(f"{where}: {error}") from error
                if self._is_wanted(name, values):
                    draft.findings += self._let_go(place, ImportedRow(name, "", values, path, where))
                    key = _key(name, values)
                    yield ImportedRow(
                        name, key, {k: v for k, v in values.items() if k != NUMBERED.get(name)}, path, where, own
                    )

    def _is_wanted(self, table: str, values: dict[str, Any]) -> bool:
        """Return whether a row is to be written here, made ready for this database."""
        if table in DEFINITIONS and values.get("workspace_id") is None and self.order:
            return False  # they come with the first workspace, since others refer to them
        if table == "import_runs":
            if values["run_id"] in self.runs:
                return False
            self.runs.add(values["run_id"])
        if table == "import_files":
            values["file_id"] = file_id(values["workspace_id"] or STORE, values["path"])
        if table == "workspaces":
            self.heads.add(values["workspace_id"])
            values["path"] = self.known.paths.get(values["workspace_id"], values["path"])
        return True

    def _moved(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return a row with the ids that its workspaces have in this database."""
        targets = self.known.targets
        for name in ("workspace_id", "parent_workspace_id"):
            if values.get(name) in targets:
                values[name] = targets[values[name]]
        for kind, name in (("parent_type", "parent_id"), ("scope", "scope_id"), ("entity_type", "entity_id")):
            if values.get(kind) == "workspace" and values.get(name) in targets:
                values[name] = targets[values[name]]
        return values

    def _let_go(self, place: DocumentsOfWorkspace | None, row: ImportedRow) -> Iterator[Finding]:
        """Empty a reference to a program or a parent that becomes real later than this workspace, or not at all."""
        values = cast(dict[str, Any], row.values)
        program_id, parent = values.get("program_id"), values.get("parent_workspace_id")
        if row.table == "plans" and program_id and place:
            owner = self.programs.get(program_id)
            if owner is None or self.order.index(owner) > self.order.index(place.workspace_id):
                values["program_id"] = None
                what = "a program that is not among the documents, or comes later; left out"
                yield Finding("warning", row.path, f"{row.json_path}.program_id", what, program_id)
        elif row.table == "workspaces" and parent and parent not in map(self.known.targets.get, self.order):
            values["parent_workspace_id"] = None
            what = "a workspace that is not among the documents; left out"
            yield Finding("warning", row.path, f"{row.json_path}.parent_workspace_id", what, parent)

    def definitions(self, place: DocumentsOfWorkspace) -> Iterator[ImportBatch]:
        """Yield what people wrote of agents, instructions and skills, with the first workspace."""
        if place.workspace_id != self.order[0]:
            return
        draft = ImportBatch(self.known.targets[place.workspace_id])
        for entry in self.shared:
            document = _tolerant(entry, "global") or {}
            if document.get("sha256") != digest(document):
                continue
            for table in DEFINITIONS:
                for n, found in enumerate(_objects(document["tables"].get(table, []), table)):
                    values = unpacked(found)
                    draft.rows.append(
                        ImportedRow(table, _key(table, values), values, entry.path, f"$.tables.{table}[{n}]")
                    )
        yield draft

    def missing(self, place: DocumentsOfWorkspace) -> ImportBatch:
        """Make a workspace of which only plans are there."""
        target = self.known.targets[place.workspace_id]
        draft = ImportBatch(target)
        document = self.about.get(place.workspace_id)
        if target in self.heads or document is None:
            return draft
        about = cast(dict[str, Any], document.get("workspace") or {})
        [head, *_] = [*document["tables"].get("plans", []), *document["tables"].get("plans_archive", [])]
        path = self.known.paths.get(target) or str(about.get("path") or f"unknown:{place.workspace_id}")
        times = {"created_at": head["created_at"], "updated_at": head["created_at"]}
        values = {"workspace_id": target, "path": path, "name": str(about.get("name") or place.workspace_id), **times}
        values |= {
            "display_name": None,
            "git_common_dir": None,
            "parent_workspace_id": None,
            "profile": None,
            "meta": {},
        }
        draft.rows.append(ImportedRow("workspaces", target, values, HEAD))
        draft.findings.append(Finding("info", HEAD, "$", "not there; made of what a plan says of it", None, path))
        return draft


def _objects(listed: Any, table: str) -> Iterable[Mapping[str, Any]]:
    rows = cast(list[Any], listed) if isinstance(listed, list) else [None]
    if not all(isinstance(row, dict) for row in rows):
        raise Damaged(f"$.tables.{table} is no list of rows")
    return cast(list[Mapping[str, Any]], rows)


def _key(table: str, values: Mapping[str, Any]) -> str:
    if number := NUMBERED.get(table):
        text = f"{values[number]} {values.get('timestamp')} {values.get('type') or values.get('summary')}"
        return hashlib.sha256(text.encode()).hexdigest()
    return " ".join(str(value) for value in list(values.values())[: KEY_LENGTHS.get(table, 1)])


def _entry(content: Content, status: Any, reason: str | None, kind: str | None = None, key: Any = None) -> FileEntry:
    """Return the account of a document. Its bytes are not kept: an export gives them again."""
    entity_id = key if isinstance(key, str) else None
    return FileEntry(
        content.path, content.sha256, content.size, status, reason, kind, entity_id, None, content.modified_at
    )


# Comparing


async def _differences(path: str, plan_id: str, document: Document, ask: Ask) -> list[Finding]:
    """Return what the tools say otherwise of a plan, its steps and its context than its document."""
    found: list[Finding] = []

    def same(at: str, expected: object, told: object) -> None:
        if expected != told and not (expected in EMPTY and told in EMPTY):
            found.append(Finding("error", path, at, "differs from the database", expected, told))

    tables = {name: [unpacked(row) for row in rows] for name, rows in document["tables"].items()}
    suffix = ARCHIVE if document.get("archived") else ""
    shown: dict[str, list[dict[str, Any]]] = document["tables"]
    try:
        head = await whole(ask, "memory_plan", {"action": "get", "plan_id": plan_id, "detail": "full"})
        for name in SHOWN:
            same(f"$.{name}", shown[f"plans{suffix}"][0].get(name), head.get(name))
        steps = await every(ask, "memory_steps", "steps", {"action": "list", "plan_id": plan_id, "detail": "full"})
        expected = sorted(tables.get(f"steps{suffix}", []), key=lambda row: row["order_index"])
        same("$.tables.steps", [row["step_id"] for row in expected], [step["step_id"] for step in steps])
        for row, step in zip(expected, steps, strict=False):
            for name in STEP:
                told = step.get(name, "standard" if name == "type" else None)
                same(f"$.tables.steps[{row['order_index']}].{name}", row.get(name), told)
        for row in shown.get(f"context_items{suffix}", []):
            item = await whole(ask, "memory_context", {"action": "get", "item_id": row["item_id"]})
            same(f"$.tables.context_items[{row['type']!r}].data", row["data"], item.get("data"))
    except ProjectMemoryError as error:
        found.append(Finding("error", path, "$", f"the tools refuse to show it: {error}"))
    return found
