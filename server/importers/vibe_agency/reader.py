"""The way through the files of a store: each is read once, accounted for once, and handed to who understands it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from server.db.storage.foreign import BadDatabase, ForeignDatabase, opened
from server.importers.layout import Known, RecognisedSource
from server.importers.reading import (
    Content,
    Entry,
    UnreadableFile,
    is_object,
    json_of,
    modified,
    object_of,
    parse,
    read,
    text_of,
)
from server.importers.taking import Sink, Taken, Taker
from server.importers.values import Object
from server.importers.vibe_agency import databases, handoffs, manifests, memories, missions, papers, places, roadmaps
from server.importers.vibe_agency.project import NAME, Part, Project
from server.importers.vibe_agency.surveying import look, look_into_database
from server.models.imports import ImportBatch
from server.text import redaction
from server.text.editing.yaml import BadYaml, parsed

ROWS = 1000  # of a database in one batch
COMPANION = "part of the database beside it, which is read with it"
NO_ROADMAP = "no roadmap: it has no phases"
EMPTY = "it is empty"
OTHER = "a database of another program"
BORN = "a plan of this database, as an export wrote it"
DOUBLE = "the same bytes as {}"
YAML = (".yaml", ".yml")
TEXTS = ("log", "document", "text")


class StoreReader:
    """Reads the files of one store into one batch after the other."""

    def __init__(self, source: RecognisedSource, known: Known) -> None:
        place: places.StorePlace = source.detail
        self.entries = list(places.entries(place))
        self.taker = Taker(known, NAME, source.workspaces[0].workspace_id)
        self.folder = place.folder
        self.project = Project(str(self.taker.workspace_id), known.taken, known.born)

    def all(self) -> Iterator[ImportBatch]:
        """Yield what the store becomes, file by file, once it is known which plan each is about."""
        if self.taker.is_new:
            yield self._workspace()
        look(self.project, self.entries, value_of)
        for entry in self.entries:
            if places.kind_of(entry.path) == "database":
                self._look_into(entry)
        for entry in self.entries:
            yield from self._file(entry)

    def _workspace(self) -> ImportBatch:
        """Return the workspace of the project, which nobody has registered."""
        batch, folder = ImportBatch(self.taker.workspace_id), self.folder
        path = self.taker.known.paths.get(str(self.taker.workspace_id), str(folder))
        make = self.taker.maker(next((entry.path for entry in self.entries), "."), modified(folder))
        batch.rows.append(make.workspace(path, folder.name or path))
        return batch

    def _look_into(self, entry: Entry) -> None:
        """Find the missions of a database; what is wrong with it is told when it is read."""
        try:
            if entry.odd is None:
                with opened(entry.location) as database:
                    look_into_database(self.project, entry.path, tables_of(database))
        except (BadDatabase, OSError):
            return

    def _file(self, entry: Entry) -> Iterator[ImportBatch]:
        kind = places.kind_of(entry.path) or "text"
        if kind == "database":
            yield from self._database(entry)
        elif kind == "companion":
            yield self.taker.skipped(entry, COMPANION)
        else:
            yield self._document(kind, entry)

    def _document(self, kind: str, entry: Entry) -> ImportBatch:
        how = self.taker.text if kind in TEXTS else self.taker.yaml if entry.path.endswith(YAML) else self.taker.json
        batch, taken = how(entry)
        if taken is None:
            return batch
        if self.project.made.get(entry.path) in self.project.born:
            taken.mark("skipped", BORN)
        elif twin := self.project.twins.get(entry.path):
            taken.mark("duplicate", DOUBLE.format(twin), "plans", self.project.made[twin])
        elif kind in TEXTS and not taken.value.strip():
            taken.mark("skipped", EMPTY)
        elif kind == "roadmap" and not roadmaps.is_roadmap(taken.value):
            taken.mark("skipped", NO_ROADMAP)
        else:
            ADD[kind](self, Part(self.project, taken), taken.value)
            first = batch.rows[0] if batch.rows else None
            head = next((row for row in batch.rows if row.table == "plans"), first)
            taken.mark("imported", None, *((head.table, head.key) if head else ()))
        return batch

    def _database(self, entry: Entry) -> Iterator[ImportBatch]:
        """Yield what a database of theirs becomes, part by part; one of another program is not theirs."""
        sink = Sink(self.taker.workspace_id)
        with self.taker.database(entry, sink) as database:
            if database is None:
                yield sink.taken()
                return
            tables = tables_of(database, lambda row, where: self.taker.clean(row, sink.batch, entry.path, where))
            if "import_rows" in tables or not any(name in databases.KNOWN for name in tables):
                yield self.taker.skipped(entry, OTHER)
                return
            content = Content(entry.path, entry.path, 0, b"", modified(entry.location))
            make = self.taker.maker(entry.path, content.modified_at)
            part = Part(self.project, Taken(content, None, sink.batch, make))
            for _ in databases.add(part, tables):
                if len(sink.batch.rows) >= ROWS:
                    yield sink.taken()
                    part.taken.batch = sink.batch
        yield self._with_bytes(entry, sink.taken())

    def _with_bytes(self, entry: Entry, batch: ImportBatch) -> ImportBatch:
        """Keep the bytes of a database that hides no secret, so that it can be given back."""
        try:
            content = read(entry)
        except (OSError, UnreadableFile):
            return batch
        if self.taker.known.with_secrets or not redaction.may_hide(content.data):
            batch.files[:] = [replace(one, raw=content.raw) for one in batch.files]
        return batch


def value_of(entry: Entry, content: Content) -> Any:
    """Return the value of a JSON or YAML file."""
    if not entry.path.endswith(YAML):
        return json_of(content)
    try:
        return parsed(text_of(content))
    except BadYaml as error:
        raise UnreadableFile(str(error)) from error


def tables_of(
    database: ForeignDatabase, clean: Callable[[Object, str], Object] = lambda row, where: row
) -> databases.Tables:
    """Return the tables of a database with what yields their rows, JSON as values and without secrets."""

    def rows(name: str, columns: list[str]) -> Callable[[], Iterator[Object]]:
        order = next((column for column in ("id", "task_id") if column in columns), None)
        return lambda: (clean(databases.parsed(row, decode), name) for row in database.rows(name, order))

    return {name: rows(name, columns) for name, columns in database.tables().items()}


def decode(text: str) -> Any:
    """Return the JSON in a column, or the text itself."""
    try:
        return parse(text, [])
    except UnreadableFile:
        return text


# What becomes of a file of each kind.


def _manifest(reader: StoreReader, part: Part, value: Any) -> None:
    _plan(reader, part, value, manifests.add)


def _plan(reader: StoreReader, part: Part, value: Any, add: Callable[[Part, str, Object], None]) -> None:
    """Make the plan of a file; one that was no object when the store was looked through is a paper."""
    if plan_id := reader.project.made.get(part.path):
        add(part, plan_id, object_of(value))
    else:
        papers.add(part, value)


def _backup(reader: StoreReader, part: Part, value: Any) -> None:
    project, lost = reader.project, part.path.removesuffix(".bak")
    if part.path in project.made:
        part.teller.warn("$", "the manifest beside it cannot be read, or is gone; this copy stands for it")
        manifests.add(part, project.made[part.path], _object(part, value))
    else:
        plan_id = project.made.get(project.twins.get(lost, lost))
        manifests.backup(part, plan_id, _object(part, value))


def _object(part: Part, value: Any) -> Object:
    """Return an object; anything else goes under `value`."""
    if is_object(value):
        return object_of(value)
    part.teller.warn("$", "no object; stored under `value`")
    return {"value": value}


def _delegation(reader: StoreReader, part: Part, value: Any) -> None:
    other = part.path.replace("/request_", "/response_")
    is_answered = other != part.path and any(entry.path == other for entry in reader.entries)
    papers.delegation(part, value, is_answered=is_answered)


def _memory(reader: StoreReader, part: Part, value: Any) -> None:
    plan_id = reader.project.about.get(part.path)
    if plan_id is None:
        papers.add(part, value)
    else:
        memories.add(part, plan_id, value, makes_plan=part.path in reader.project.made)


def _debt(reader: StoreReader, part: Part, value: Any) -> None:
    _plan(reader, part, value, roadmaps.debts)


def _mission(reader: StoreReader, part: Part, value: Any) -> None:
    _plan(reader, part, value, missions.add)


def _copy(reader: StoreReader, part: Part, value: Any) -> None:
    missions.copy(part, reader.project.main, _object(part, value))


def _roadmap(reader: StoreReader, part: Part, value: Any) -> None:
    _plan(reader, part, value, roadmaps.add)


def _handoff(reader: StoreReader, part: Part, value: Any) -> None:
    del reader
    handoffs.add(part, _object(part, value))


def _paper(reader: StoreReader, part: Part, value: Any) -> None:
    del reader
    papers.add(part, value)


def _receipt(reader: StoreReader, part: Part, value: Any) -> None:
    del reader
    papers.receipt(part, value)


def _text(reader: StoreReader, part: Part, value: Any) -> None:
    del reader
    papers.text(part, value)


ADD: dict[str, Callable[[StoreReader, Part, Any], None]] = {
    "manifest": _manifest, "backup": _backup, "index": _paper, "delegation": _delegation, "document": _text,
    "handoff": _handoff, "debt": _debt, "mission": _mission, "checkpoint": _copy, "roadmap": _roadmap,
    "memory": _memory, "log": _text, "receipt": _receipt, "paper": _paper, "text": _text,
}  # fmt: skip
