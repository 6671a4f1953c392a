"""Files of a source, opened for a layout: each comes with its batch, and is accounted for whatever it holds."""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from server.db.storage import foreign
from server.db.storage.foreign import BadDatabase, ForeignDatabase
from server.importers.layout import Known
from server.importers.reading import (
    NOT_KEPT,
    STREAM_BYTES,
    Content,
    Entry,
    Note,
    UnreadableFile,
    absent,
    fingerprint,
    json_of,
    merge_marker,
    modified,
    parse,
    read,
    state,
    stream,
    text_of,
)
from server.importers.rows import RowMaker
from server.importers.values import Teller
from server.models.imports import FileStatus, Finding, ImportBatch, ImportedRow
from server.text import redaction
from server.text.editing import yaml

WHOLE_BYTES = 32 * 1024 * 1024  # of a file that has to be in memory as a whole
PIECE, SHARED = 256 * 1024, 8 * 1024  # bytes of a long line that are looked at together
MOST_TOLD = 50  # places of secrets in one file that the report names
Line = tuple[int, Any]


@dataclass
class Taken:
    """A file that was opened. `make` makes its rows, `batch` takes them, `value` is what it holds.

    It counts as imported until `mark` says otherwise.
    """

    content: Content
    value: Any
    batch: ImportBatch
    make: RowMaker

    @property
    def teller(self) -> Teller:
        return self.make.teller(self.batch.findings)

    def add(self, *rows: ImportedRow) -> None:
        self.batch.rows.extend(rows)

    def mark(
        self,
        status: FileStatus = "imported",
        reason: str | None = None,
        kind: str | None = None,
        key: str | None = None,
    ) -> None:
        """Say what became of the file, and what entity it became."""
        self.batch.files[:] = [self.content.entry(status, reason, kind, key)]


class Sink:
    """Where what a long file becomes goes to, batch by batch: `batch` is the present one."""

    def __init__(self, workspace_id: str | None) -> None:
        self.workspace_id = workspace_id
        self.batch = ImportBatch(workspace_id)

    def add(self, *rows: ImportedRow) -> None:
        self.batch.rows.extend(rows)

    def taken(self) -> ImportBatch:
        """Return the present batch, and begin another one."""
        found, self.batch = self.batch, ImportBatch(self.workspace_id)
        return found


@dataclass(frozen=True)
class Taker:
    """Opens files for one workspace of a source. `owner` is the source's own id of it, `system` the layout's name."""

    known: Known
    system: str
    owner: str | None

    @property
    def workspace_id(self) -> str | None:
        return self.known.targets[self.owner] if self.owner is not None else None

    @property
    def is_new(self) -> bool:
        """Return whether the workspace has to be made."""
        return self.workspace_id is not None and self.workspace_id not in self.known.there

    def maker(self, path: str, at: str) -> RowMaker:
        return RowMaker(self.known.columns, self.system, self.workspace_id or "", path, at, self.known.renamed)

    def json(self, entry: Entry) -> tuple[ImportBatch, Taken | None]:
        """Open a JSON file. Without `Taken` it could not be used, which the batch tells."""
        return self._taken(entry, json_of)

    def yaml(self, entry: Entry) -> tuple[ImportBatch, Taken | None]:
        """Open a YAML file."""
        return self._taken(entry, _yaml_of)

    def text(self, entry: Entry) -> tuple[ImportBatch, Taken | None]:
        """Open a text."""
        return self._taken(entry, text_of)

    def read_by(self, entry: Entry, how: Callable[[Content], Any]) -> tuple[ImportBatch, Taken | None]:
        """Open a file that `how` makes a value of; it raises UnreadableFile if it cannot."""
        return self._taken(entry, how)

    def skipped(self, entry: Entry, reason: str, *, keep: bool = True) -> ImportBatch:
        """Account for a file that means nothing to the layout: its bytes are kept, but for those of a secret."""
        batch, taken = self._taken(entry, _any_text if keep else _nothing)
        if taken:
            taken.mark("skipped", reason)
        return batch

    def lines(self, entry: Entry, sink: Sink) -> Iterator[Line]:
        """Yield the values of a file of JSON lines, of any length, with their numbers; a bad line costs one finding.

        The account of the file goes to `sink` when the last line was read: whoever asks for lines yields
        `sink.taken()` now and then, and once more at the end.
        """
        if entry.odd:
            self._refuse(sink.batch, entry, entry.odd, "skipped")
            return
        content = Content(entry.path, "", 0, b"", "")
        try:
            content.modified_at = modified(entry.location)
            if (size := state(entry.location)[0]) > STREAM_BYTES:
                raise UnreadableFile(f"{size} bytes are more than the {STREAM_BYTES} that are read")
            found = stream(entry, Content(entry.path, "", 0, b"", ""), packs=False)
            if marker := merge_marker(line for _, line in found):
                raise UnreadableFile(f"marks of a merge from line {marker} on: resolve it first")
            yield from self._values(entry, content, sink)
        except (OSError, UnreadableFile) as error:
            self._refuse(sink.batch, entry, _why(error))
            return
        content.modified_at = self._time(entry.path, content.sha256) or content.modified_at
        sink.batch.findings += [Finding(severity, entry.path, "$", what) for severity, what in content.notes]
        sink.batch.files.append(content.entry("imported"))

    def _values(self, entry: Entry, content: Content, sink: Sink) -> Iterator[Line]:
        hidden = False
        for number, line in stream(entry, content):
            where = f"line {number}"
            notes: list[Note] = []
            try:
                text = text_of(Content(entry.path, "", 0, b"", "", line, notes)).strip()
                value = parse(text, notes) if text else None
            except UnreadableFile as error:
                sink.batch.findings.append(Finding("error", entry.path, where, f"not imported: {error}"))
                continue
            sink.batch.findings += [Finding(severity, entry.path, where, what) for severity, what in notes]
            if text:
                value, places = (value, []) if self.known.with_secrets else redaction.blanked(value, where)
                hidden = self._tell(sink.batch, entry.path, places) or hidden
                yield number, value
        if hidden:
            content.raw = NOT_KEPT

    @contextmanager
    def database(self, entry: Entry, sink: Sink) -> Generator[ForeignDatabase | None]:
        """Read a SQLite file, from a copy of it; None if it is none. Errors of what is read later are told, too.

        Its bytes are not kept. Rows go through `clean`.
        """
        is_open = False
        try:
            if entry.odd:
                raise BadDatabase(entry.odd)
            with foreign.opened(entry.location) as db:
                is_open = True
                yield db
        except (OSError, BadDatabase) as error:
            self._refuse(sink.batch, entry, _why(error), "skipped" if entry.odd else "failed")
            if not is_open:
                yield None
            return
        sha256, size = fingerprint(entry.location, entry.path)
        content = Content(entry.path, sha256, size, NOT_KEPT, modified(entry.location))
        sink.batch.files.append(content.entry("imported"))

    def clean(self, value: Any, batch: ImportBatch, path: str, where: str) -> Any:
        """Return a value without its secrets, which are told."""
        cleaned, places = (value, []) if self.known.with_secrets else redaction.blanked(value, where)
        self._tell(batch, path, places)
        return cleaned

    def _taken(self, entry: Entry, how: Callable[[Content], Any]) -> tuple[ImportBatch, Taken | None]:
        batch = ImportBatch(self.workspace_id)
        if entry.odd:
            self._refuse(batch, entry, entry.odd, "skipped")
            return batch, None
        content: Content | None = None
        try:
            content = read(entry, self._time, WHOLE_BYTES)
            value = how(content)
        except (OSError, UnreadableFile) as error:
            self._refuse(batch, entry, _told(content, error), content=content or self._unread(entry))
            return batch, None
        notes = [Finding(severity, entry.path, "$", what) for severity, what in content.notes]
        batch.findings += notes
        if not self.known.with_secrets:
            value, places = redaction.blanked(value)
            if self._tell(batch, entry.path, places):
                content.raw = NOT_KEPT
        taken = Taken(content, value, batch, self.maker(entry.path, content.modified_at))
        taken.mark()
        return batch, taken

    def _refuse(
        self, batch: ImportBatch, entry: Entry, why: str, status: FileStatus = "failed", content: Content | None = None
    ) -> None:
        """Tell why a file was not imported; what was read of it is kept, unless it may hide a secret."""
        severity, what = ("warning", "skipped") if status == "skipped" else ("error", "not imported")
        batch.findings.append(Finding(severity, entry.path, "$", f"{what}: {why}"))
        if content and (self.known.with_secrets or not redaction.may_hide(content.data)):
            batch.files.append(content.entry(status, why))
        else:
            batch.files.append(replace(absent(entry, status, why), raw=NOT_KEPT))

    def _unread(self, entry: Entry) -> Content | None:
        """Return the bytes of a file that is too large to be read, so that they are kept; None if it hides a secret."""
        content = Content(entry.path, "", 0, b"", "")
        try:
            if not WHOLE_BYTES < state(entry.location)[0] <= STREAM_BYTES:
                return None
            content.modified_at = modified(entry.location)
            hides = False
            for _, line in stream(entry, content):
                hides = hides or (not self.known.with_secrets and any(map(redaction.may_hide, _pieces(line))))
        except (OSError, UnreadableFile):
            return None
        return None if hides else content

    def _tell(self, batch: ImportBatch, path: str, places: list[str]) -> bool:
        for where in places[:MOST_TOLD]:
            what = "a secret: left out, and the bytes of the file are not kept (--with-secrets keeps them)"
            batch.findings.append(Finding("warning", path, where, what))
        return bool(places)

    def _time(self, path: str, sha256: str) -> str | None:
        return self.known.time_of(self.workspace_id, path, sha256)


def _pieces(line: bytes) -> Iterator[bytes]:
    """Yield a line in parts that overlap: what may be a secret is shorter than what two of them share."""
    for start in range(0, len(line), PIECE):
        yield line[start : start + PIECE + SHARED]


def _yaml_of(content: Content) -> Any:
    try:
        return yaml.parsed(text_of(content))
    except yaml.BadYaml as error:
        raise UnreadableFile(str(error)) from error


def _any_text(content: Content) -> str:
    try:
        return text_of(content)
    except UnreadableFile:
        return ""  # a picture, an archive


def _nothing(content: Content) -> None:
    content.raw = NOT_KEPT


def _told(content: Content | None, error: Exception) -> str:
    if content and (marker := merge_marker(content.data.splitlines())):
        return f"marks of a merge from line {marker} on: resolve it first"
    return _why(error)


def _why(error: Exception) -> str:
    return error.strerror or "it cannot be read" if isinstance(error, OSError) else str(error)
