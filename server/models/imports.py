"""What an import moves: rows, files, and the lines of its report. Plain dataclasses: there are many of them."""

import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, cast

Severity = Literal["info", "warning", "error"]
FileStatus = Literal["imported", "unchanged", "duplicate", "skipped", "failed"]


PACKED = 200  # lines of a report that are packed together


@dataclass(frozen=True, slots=True)
class Finding:
    """A line of the report. `path` is the file's, `json_path` where in it; `value` was found, `used` stands for it.

    `info`: a value was mapped or defaulted. `warning`: something was left unresolved, or two sources disagree.
    `error`: something could not be imported as it is; the run then counts as one with problems.
    """

    severity: Severity
    path: str
    json_path: str
    what: str
    value: Any = None
    used: Any = None
    workspace_id: str | None = None  # whose file it is


FIELDS = tuple(one.name for one in fields(Finding))


class Findings(Sized, Iterable[Finding]):
    """The lines of a report. All but the last are packed: a large source makes as many as it has entries.

    `counts`: how many there are of each severity.
    """

    def __init__(self, found: Iterable[Finding] = ()) -> None:
        self.counts: Counter[Severity] = Counter()
        self._packed: list[bytes] = []
        self._last: list[Finding] = []
        self += found

    def append(self, finding: Finding) -> None:
        self.counts[finding.severity] += 1
        self._last.append(finding)
        if len(self._last) == PACKED:
            self._packed.append(_pack(self._last))
            self._last = []

    def __iadd__(self, found: Iterable[Finding]) -> "Findings":
        for finding in found:
            self.append(finding)
        return self

    def __iter__(self) -> Iterator[Finding]:
        for packed in self._packed:
            yield from _unpack(packed)
        yield from self._last

    def __len__(self) -> int:
        return self.counts.total()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Findings | list) and [*self] == [*cast(Iterable[object], other)]

    def __hash__(self) -> int:
        raise TypeError("lines that are still added to have no hash")


def _pack(found: Iterable[Finding]) -> bytes:
    lines = [[getattr(finding, name) for name in FIELDS] for finding in found]
    return zlib.compress(json.dumps(lines, default=str).encode(), 1)


def _unpack(packed: bytes) -> Iterator[Finding]:
    yield from (Finding(*line) for line in json.loads(zlib.decompress(packed)))


def of(workspace_id: str | None, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield lines of the report with the workspace that they are about."""
    yield from (replace(finding, workspace_id=finding.workspace_id or workspace_id) for finding in findings)


@dataclass(frozen=True, slots=True)
class ImportedRow:
    """A row to write, as the live table has its columns; lists and dicts become JSON.

    `key` is the value of the primary key (a log has none: there it is any text that tells equal entries apart).
    `plan_id` names the plan whose family the row belongs to (`server.db.plans.plan_archive`): it goes to the archive
    with it. `path` and `json_path` say what it was made of.
    """

    table: str
    key: str
    values: Mapping[str, Any]
    path: str
    json_path: str = "$"
    plan_id: str | None = None


@dataclass(frozen=True, slots=True)
class FileEntry:
    """What became of one file. `path` has "/" between parts and is relative to the workspace's folder of the store,
    or to the store's root for a file of no workspace. `raw` is the zlib-compressed content. `modified_at` is the
    file's time, as a timestamp of ours.
    """

    path: str
    sha256: str
    size: int
    status: FileStatus
    reason: str | None = None
    entity_type: str | None = None
    entity_id: str | None = None
    raw: bytes | None = None
    modified_at: str | None = None


@dataclass
class ImportBatch:
    """A part of what a source becomes, small enough for memory: one plan, a thousand log entries, some files.

    `workspace_id` is the workspace (as the database will know it) that rows and files belong to; None is the store as
    a whole. All drafts of one workspace become real together. `archived` names the plans that end in the
    archive: their families' rows are in no other draft.
    """

    workspace_id: str | None
    rows: list[ImportedRow] = field(default_factory=list[ImportedRow])
    files: list[FileEntry] = field(default_factory=list[FileEntry])
    findings: list[Finding] = field(default_factory=list[Finding])
    archived: set[str] = field(default_factory=set[str])
