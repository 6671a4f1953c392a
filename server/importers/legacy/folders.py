"""The way through the folders: each file is read once, accounted for once, and handed to who understands it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import PurePosixPath
from typing import Any

from server.db.interchange.seen import Seen
from server.importers.legacy import context, logs, plans, programs, workspaces
from server.importers.legacy.survey import STUB, Header, Survey, plan_folder
from server.importers.legacy.tree import (
    ARCHIVED,
    CONTEXT,
    IDENTITY,
    META,
    REGISTRY,
    LegacyWorkspace,
    entries,
    root_entries,
)
from server.importers.reading import (
    Content,
    Entry,
    UnreadableFile,
    absent,
    is_object,
    json_of,
    list_of,
    object_of,
    read,
    stream,
    text_of,
)
from server.importers.values import Fields, Teller, callable_as
from server.models.imports import Finding, ImportBatch, ImportedRow

BATCH = 500  # log entries in one draft
STATE = "state.json"
GENERATED = "a generated view of the plan, which is in state.json"
STUB_LEFT = f"a stub that an old recovery left for the folder {STUB!r}; no plan"
FREE_TEXT = "free text: kept as raw bytes"


class FolderReader:
    """Reads the files of one workspace, or of none, into one draft after the other."""

    def __init__(self, survey: Survey, place: LegacyWorkspace | None) -> None:
        self.survey = survey
        self.place = place
        self.workspace_id = survey.target(place) if place else None
        self.draft = ImportBatch(self.workspace_id)

    def take(self) -> ImportBatch:
        """Return the draft so far, and begin another with the same list of findings: tellers of a file hold it."""
        findings = self.draft.findings
        done = replace(self.draft, findings=[*findings])
        findings.clear()
        self.draft = ImportBatch(self.workspace_id, findings=findings)
        return done

    def content(self, entry: Entry) -> Content | None:
        """Return what a file holds; one that cannot be read is accounted for."""
        if entry.odd:
            self.draft.files.append(absent(entry, "skipped", entry.odd))
            self.tell("warning", entry.path, f"skipped: {entry.odd}")
            return None
        try:
            return read(entry, self.survey.time_of(self.place))
        except (OSError, UnreadableFile) as error:
            reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
            self.draft.files.append(absent(entry, "failed", reason))
            self.tell("error", entry.path, f"not read: {reason}")
            return None

    def parsed(self, entry: Entry, how: Callable[[Content], Any]) -> tuple[Content, Any] | None:
        """Return a file with its JSON or text; one that has none is accounted for."""
        content = self.content(entry)
        if content is None:
            return None
        try:
            value = how(content)
        except UnreadableFile as error:
            self.fail(content, str(error))
            return None
        for severity, what in dict.fromkeys(content.notes):
            self.tell(severity, entry.path, what)
        return content, value

    def fail(self, content: Content, reason: str) -> None:
        self.draft.files.append(content.entry("failed", reason))
        self.tell("error", content.path, f"not imported: {reason}")

    def skip(self, entry: Entry, reason: str, *, duplicate: bool = False) -> None:
        """Account for a file that is kept as raw bytes only."""
        if content := self.content(entry):
            self.draft.files.append(content.entry("duplicate" if duplicate else "skipped", reason))

    def named(self, entry: Entry, name: str) -> str:
        """Return the name by which tools are asked for what a file holds."""
        used = callable_as(name)
        if used != name:
            self.draft.findings.append(Finding("warning", entry.path, "$", "its name is none for a tool", name, used))
        return used

    def tell(self, severity: Any, path: str, what: str, value: Any = None) -> None:
        self.draft.findings.append(Finding(severity, path, "$", what, value))

    def add(self, content: Content, *rows: ImportedRow) -> None:
        """Account for a file that became rows; the first of them is what it is about."""
        self.draft.rows.extend(rows)
        first = rows[0] if rows else None
        kind, key = (first.table, first.key) if first else (None, None)
        self.draft.files.append(content.entry("imported", None, kind, key))

    def parts(self, content: Content, rows: Iterator[ImportedRow]) -> Iterator[ImportBatch]:
        """Yield the drafts of a file that becomes more rows than are kept in memory, and account for it as `add`."""
        first: ImportedRow | None = None
        for row in rows:
            first = first or row
            self.draft.rows.append(row)
            if len(self.draft.rows) >= BATCH:
                yield self.take()
        self.draft.files.append(content.entry("imported", None, *((first.table, first.key) if first else ())))


def workspace(survey: Survey, place: LegacyWorkspace) -> Iterator[ImportBatch]:
    """Yield the drafts of one workspace: itself first, its programs, its plans, and the rest."""
    reader = FolderReader(survey, place)
    first = [entry for entry in entries(place) if entry.path == META or _unit(entry.path) == "programs"]
    _head(reader, next((entry for entry in first if entry.path == META), None))
    _programs(reader, [entry for entry in first if entry.path != META])
    yield reader.take()
    for folder, group in groupby(entries(place), lambda entry: _unit(entry.path)):
        if folder is None:
            for entry in group:
                yield from _loose(reader, entry)
        elif folder != "programs":
            _plan(reader, folder, list(group))
            yield reader.take()
    yield reader.take()


def _unit(path: str) -> str | None:
    return "programs" if path.startswith("programs/") else plan_folder(path)


def _head(reader: FolderReader, meta: Entry | None) -> None:
    survey, place = reader.survey, reader.place
    assert place is not None  # only called for workspaces
    found = reader.parsed(meta, json_of) if meta else None
    value = found[1] if found else None
    path = meta.path if meta else META
    if not isinstance(value, dict):
        reader.tell("warning", path, "no readable workspace.meta.json; what else is known makes the workspace")
    rows = workspaces.head(survey, place, value, path, reader.draft.findings)
    if found:
        reader.add(found[0], *rows)
    else:
        reader.draft.rows.extend(rows)
    if survey.tree.identity and place is survey.tree.places[0]:
        _identity(reader, Entry(IDENTITY, survey.tree.identity))


def _identity(reader: FolderReader, entry: Entry) -> None:
    """Keep the identity file with the workspace, if it is the workspace's."""
    if (found := reader.parsed(entry, json_of)) is None:
        return
    content, value = found
    told = object_of(value).get("workspace_id")
    if reader.survey.resolve(told) != reader.workspace_id:
        reader.draft.files.append(content.entry("skipped", f"it is of another workspace: {told!r}"))
        reader.tell("warning", entry.path, "the identity file is of another workspace", told)
        return
    for number, row in enumerate(reader.draft.rows):
        if row.table == "workspaces":
            meta: dict[str, Any] = {**row.values["meta"], "identity": value}
            reader.draft.rows[number] = ImportedRow(row.table, row.key, {**row.values, "meta": meta}, row.path)
    reader.draft.files.append(content.entry("imported", None, "workspaces", reader.workspace_id))


def _programs(reader: FolderReader, inside: list[Entry]) -> None:
    for entry in inside:
        if entry.path.count("/") == 1:
            reader.skip(entry, "no file of a program that is known")
    inside = [entry for entry in inside if entry.path.count("/") > 1]
    for folder, group in groupby(inside, lambda entry: "/".join(entry.path.split("/")[:2])):
        _program(reader, folder, list(group))


def _program(reader: FolderReader, folder: str, listed: list[Entry]) -> None:
    contents: dict[str, Content] = {}
    values: dict[str, tuple[str, Any]] = {}
    for entry in listed:
        name = entry.path.removeprefix(f"{folder}/")
        if name not in programs.FILES:
            reader.skip(entry, "no file of a program that is known")
        elif found := reader.parsed(entry, json_of):
            contents[name], values[name] = found[0], (entry.path, found[1])
    if "program.json" in values and not is_object(values["program.json"][1]):
        reader.fail(contents.pop("program.json"), "no object")
        del values["program.json"]
    if "program.json" not in values:
        for content in contents.values():
            reader.draft.files.append(content.entry("skipped", "its program.json cannot be read"))
        if not any(entry.path == f"{folder}/program.json" for entry in listed):
            reader.tell("error", f"{folder}/program.json", "missing; the program is left out")
        return
    rows = programs.of_files(reader.survey, folder, reader.workspace_id or "", values, reader.draft.findings)
    program_id = next((row.key for row in rows if row.table == "programs"), None)
    reader.draft.rows.extend(rows)
    for content in contents.values():
        reader.draft.files.append(content.entry("imported", None, "programs", program_id))


def _plan(reader: FolderReader, folder: str, listed: list[Entry]) -> None:
    survey, place = reader.survey, reader.place
    assert place is not None  # plans are in workspaces
    header = survey.folders.get((place.workspace_id, folder))
    state = next((entry for entry in listed if entry.path == f"{folder}/{STATE}"), None)
    if header and header.newer:
        where = f"{header.newer.place.folder.name}/{header.newer.folder}"
        reader.tell("warning", folder, f"another copy of {header.plan_id} was changed later and counts", where)
        for entry in listed:
            reader.skip(entry, f"another copy of the plan, in {where}, was changed later", duplicate=True)
        return
    found = reader.parsed(state, json_of) if state else None
    if found is None or header is None:
        if found:
            reader.fail(found[0], "no object")
        if state is None:
            reader.tell("error", f"{folder}/{STATE}", "missing; the plan's files are kept as raw bytes only")
        for entry in listed:
            if entry is not state:
                reader.skip(entry, "its plan's state.json is missing or cannot be read")
        return
    _whole_plan(reader, header, found, [entry for entry in listed if entry is not state])


def _whole_plan(reader: FolderReader, header: Header, state: tuple[Content, Any], others: list[Entry]) -> None:
    content, value = state
    findings = reader.draft.findings
    found = Fields(value, "$", Teller(content.path, findings))
    rows = plans.rows_of(reader.survey, header, found, content.path)
    handoffs: list[ImportedRow] = []
    beside: list[ImportedRow] = []
    for entry in others:
        if row := _company(reader, header, entry):
            (handoffs if row.values.get("type", "").startswith(context.HANDOFF) else beside).append(row)
    rows = context.with_handoffs(rows, handoffs, findings)
    more: list[ImportedRow] = []
    if header.is_program and reader.survey.programs.get(header.plan_id) is header.place:
        teller = Teller(content.path, findings)
        more = [plans.program_of(rows[0], header, header.children)]
        missing = [plan_id for plan_id in header.children if plan_id not in reader.survey.plans]
        for plan_id in missing:
            teller.warn("$.child_plan_ids", "no such plan in the store; kept in extra", plan_id)
        at = str(rows[0].values["created_at"])
        more += programs.members(reader.survey, header.plan_id, at, teller)
    reader.add(content, *rows, *more)
    reader.draft.rows.extend([*handoffs, *beside])
    if header.archived:
        reader.draft.archived.add(header.plan_id)


def _company(reader: FolderReader, header: Header, entry: Entry) -> ImportedRow | None:
    """Return what a file beside a plan's state becomes."""
    inner = PurePosixPath(entry.path.removeprefix(f"{header.folder}/"))
    top, rest_of = (inner.parts[0], "/".join(inner.parts[1:])) if len(inner.parts) > 1 else ("", inner.name)
    if top == "research_notes":
        return _text(reader, header, entry, rest_of, context.research)
    if top == "prompts" and inner.name.endswith(context.PROMPT):
        return _text(reader, header, entry, rest_of, context.prompt)
    if inner.suffix != ".json" or top not in ("", "dumps", "investigations", "prompts"):
        view = not top and inner.name == "plan.md"
        return reader.skip(entry, GENERATED if view else "no file of a plan that is known; kept as raw bytes")
    found = reader.parsed(entry, json_of)
    if found is None:
        return None
    kind = reader.named(entry, context.kind_of(inner.as_posix()))
    parent = ("plan", header.plan_id)
    row = context.item(parent, reader.workspace_id or "", kind, *found, findings=reader.draft.findings)
    return _added(reader, found[0], row)


def _text(
    reader: FolderReader, header: Header, entry: Entry, name: str, how: Callable[..., ImportedRow]
) -> ImportedRow | None:
    if (found := reader.parsed(entry, text_of)) is None:
        return None
    named = reader.named(entry, name)
    return _added(reader, found[0], how(("plan", header.plan_id), reader.workspace_id, named, *found))


def _added(reader: FolderReader, content: Content, row: ImportedRow) -> ImportedRow:
    reader.draft.files.append(content.entry("imported", None, row.table, row.key))
    return row


def _loose(reader: FolderReader, entry: Entry) -> Iterator[ImportBatch]:
    """Map one file of a workspace that belongs to no plan and no program."""
    parts = entry.path.split("/")
    if entry.path in (META, IDENTITY):
        return
    if entry.path in SINGLE:
        if found := reader.parsed(entry, json_of):
            yield from SINGLE[entry.path](reader, *found)
    elif parts[0] == "knowledge" and len(parts) == 2:
        _knowledge(reader, entry, parts[1])
    elif parts[0] == "research" and len(parts) > 1:
        if found := reader.parsed(entry, text_of):
            workspace_id = reader.workspace_id or ""
            parent = ("workspace", workspace_id)
            name = reader.named(entry, "/".join(parts[1:]))
            reader.add(found[0], context.research(parent, workspace_id, name, *found))
    elif parts[0] == "logs":
        yield from _text_log(reader, entry)
    else:
        stub = entry.path == f"plans/{ARCHIVED}/{STATE}"
        reader.skip(entry, STUB_LEFT if stub else "no file of a workspace that is known; kept as raw bytes")
    if len(reader.draft.rows) > BATCH:
        yield reader.take()


def _sections(reader: FolderReader, content: Content, value: Any) -> Iterator[ImportBatch]:
    findings = reader.draft.findings
    rows = workspaces.sections(reader.survey, reader.workspace_id or "", content, value, findings)
    return reader.parts(content, rows)


def _allowlist(reader: FolderReader, content: Content, value: Any) -> Iterator[ImportBatch]:
    row = workspaces.allowlist(reader.workspace_id or "", content, value, reader.draft.findings)
    return reader.parts(content, iter([row]))


def _knowledge(reader: FolderReader, entry: Entry, name: str) -> None:
    is_json = name.endswith(".json")
    if not is_json and not name.endswith((".md", ".txt")):
        reader.skip(entry, "no knowledge that is known; kept as raw bytes")
    elif found := reader.parsed(entry, json_of if is_json else text_of):
        stem = name.rpartition(".")[0]
        row = context.knowledge(reader.workspace_id or "", stem, *found, reader.draft.findings)
        if row is None:
            reader.fail(found[0], "it has no slug")
        elif not reader.survey.take("knowledge", row.key):
            slug = row.values["slug"]
            reader.draft.files.append(found[0].entry("duplicate", f"another file has the slug {slug!r}"))
            reader.tell("warning", entry.path, "another file has that slug; kept as raw bytes", slug)
        else:
            reader.add(found[0], row)


def _old_log(reader: FolderReader, content: Content, value: Any) -> Iterator[ImportBatch]:
    listed = list_of(object_of(value).get("entries") if is_object(value) else value)
    if not listed and value not in ([], {"entries": []}):
        reader.fail(content, "no list of log entries")
        return iter(())
    places = [(f"$[{number}]", entry) for number, entry in enumerate(listed)]
    teller = Teller(content.path, reader.draft.findings)
    rows = logs.updates(reader.survey, reader.workspace_id or "", "update_log.json", places, teller)
    return reader.parts(content, rows)


SINGLE: dict[str, Callable[[FolderReader, Content, Any], Iterator[ImportBatch]]] = {
    CONTEXT: _sections,
    "terminal-allowlist.json": _allowlist,
    "update_log.json": _old_log,
}


def _text_log(reader: FolderReader, entry: Entry) -> Iterator[ImportBatch]:
    """Keep a log of any length as raw bytes."""
    if content := _streamed(reader, entry):
        for _ in _lines(reader, entry, content):
            pass
        if content.sha256:
            reader.draft.files.append(content.entry("imported", FREE_TEXT, "log"))
    yield reader.take()


def _streamed(reader: FolderReader, entry: Entry) -> Content | None:
    if entry.odd:
        reader.content(entry)
        return None
    return Content(entry.path, "", 0, b"", "")


def _lines(reader: FolderReader, entry: Entry, content: Content) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a log; one that breaks off in the middle is accounted for as failed."""
    try:
        yield from stream(entry, content)
    except (OSError, UnreadableFile) as error:
        content.sha256 = ""
        reader.draft.files.append(absent(entry, "failed", str(error)))
        reader.tell("error", entry.path, f"not read to its end: {error}")


def rest(survey: Survey) -> Iterator[ImportBatch]:
    """Yield what belongs to no workspace folder: events, logs, the registry, and folders that are no workspaces."""
    with Seen() as seen:
        yield from _rest(survey, seen)


def _rest(survey: Survey, seen: Seen) -> Iterator[ImportBatch]:
    reader = FolderReader(survey, None)
    for ghost in survey.tree.ghosts:
        reader.tell("warning", ghost.name, "a folder without workspace.meta.json; its files are kept as raw bytes only")
    for entry in root_entries(survey.tree):
        parts = PurePosixPath(entry.path).parts
        if logs.EVENTS.fullmatch(entry.path):
            yield from _event_log(reader, seen, entry)
        elif parts[0] == "events" and len(parts) == 2 and entry.path.endswith(".json"):
            _event_file(reader, seen, entry)
        elif parts[0] == "logs":
            yield from _text_log(reader, entry)
        elif entry.path == REGISTRY:
            if found := reader.parsed(entry, json_of):
                workspaces.registry(survey, entry.path, found[1], reader.draft.findings)
                reader.draft.files.append(found[0].entry("imported", "a list of the workspaces", "registry"))
        elif parts[0] == ".projectmemory":
            reader.skip(entry, "not part of the store")
        else:
            reader.skip(entry, "of no workspace; kept as raw bytes")
        if len(reader.draft.rows) + len(reader.draft.files) > BATCH:
            yield from _routed(reader.take())
    yield from _routed(reader.take())
    yield ImportBatch(None, findings=survey.findings)


def _event_file(reader: FolderReader, seen: Seen, entry: Entry) -> None:
    if found := reader.parsed(entry, json_of):
        content, value = found
        row = logs.event(reader.survey, value, "$", Teller(entry.path, reader.draft.findings), content.modified_at)
        if row is None:
            reader.fail(content, "no object")
        elif logs.is_first(seen, row, value, reader.draft.findings):
            reader.add(content, row)
        else:
            reader.draft.files.append(content.entry("duplicate", f"the event {row.key} was read elsewhere"))


def _event_log(reader: FolderReader, seen: Seen, entry: Entry) -> Iterator[ImportBatch]:
    content = _streamed(reader, entry)
    if content is None:
        return
    rows = logs.lines(reader.survey, _lines(reader, entry, content), entry.path, reader.draft.findings)
    for row, value in rows:
        if logs.is_first(seen, row, value, reader.draft.findings):
            reader.draft.rows.append(row)
        if len(reader.draft.rows) >= BATCH:
            yield from _routed(reader.take())
    if content.sha256:
        reader.draft.files.append(content.entry("imported", None, "event_log"))
    yield from _routed(reader.take())


def _routed(draft: ImportBatch) -> Iterator[ImportBatch]:
    """Yield the events of each workspace as its own, and what is left as the store's."""
    by_workspace: dict[str | None, list[ImportedRow]] = {}
    for row in draft.rows:
        by_workspace.setdefault(row.values["workspace_id"], []).append(row)
    for workspace_id, rows in by_workspace.items():
        if workspace_id is not None:
            yield ImportBatch(workspace_id, rows=rows)
    yield ImportBatch(None, by_workspace.get(None, []), draft.files, draft.findings)
