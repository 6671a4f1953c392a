"""What an import moves: rows, files, and the lines of its report. Plain dataclasses: there are many of them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Severity = Literal["info", "warning", "error"]
FileStatus = Literal["imported", "unchanged", "duplicate", "skipped", "failed"]


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
