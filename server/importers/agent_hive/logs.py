"""Logs of a hive into events, a few hundred at a time: an entry that a copy of the log has too is one event."""

from collections.abc import Iterator
from typing import Any

from server.db.interchange.seen import Seen
from server.importers.agent_hive import log_lines
from server.importers.agent_hive.hive import Hive, HivePart, digest, text_in
from server.importers.agent_hive.log_lines import Fault, LogEntry
from server.importers.agent_hive.tree import HiveFile
from server.importers.reading import NOT_KEPT, Content, UnreadableFile, absent, modified, stream
from server.importers.values import Object
from server.models.imports import Finding, ImportBatch

KIND = "log"
SIZE = 500  # events in one batch


def read(hive: Hive, file: HiveFile) -> Iterator[ImportBatch]:
    """Yield what a log becomes; the last batch has the account of the file."""
    batch = ImportBatch(hive.workspace_id)
    content = Content(file.entry.path, "", 0, b"", "")
    try:
        content.modified_at = modified(file.entry.location)
        make = hive.taker.maker(file.entry.path, min(content.modified_at, hive.known.now))
        part = HivePart(hive, file.entry.path, file.inner, make, batch, file.is_copy)
        for _ in _events(part, stream(file.entry, content)):
            if len(part.batch.rows) == SIZE:
                yield part.batch
                part.batch = ImportBatch(hive.workspace_id)
    except (OSError, UnreadableFile) as error:
        why = error.strerror or "it cannot be read" if isinstance(error, OSError) else str(error)
        batch.findings.append(Finding("error", file.entry.path, "$", f"not imported: {why}"))
        batch.files.append(absent(file.entry, "failed", why))
        yield batch
        return
    content.raw = NOT_KEPT if part.hidden else content.raw
    part.batch.findings += [Finding(severity, part.path, "$", what) for severity, what in content.notes]
    part.batch.files.append(content.entry("imported"))
    yield part.batch


def _events(part: HivePart, lines: Iterator[tuple[int, bytes]]) -> Iterator[None]:
    """Add the entries of a log. One without a time has that of the entry before it, else that of the file."""
    faults: list[Fault] = []
    at, hive = part.at, part.hive
    with Seen() as seen:
        for entry in log_lines.entries(lines, faults):
            _tell(part, faults)
            at = hive.past(entry.time, at)
            told = digest([entry.grammar, entry.time, entry.level, entry.logger, entry.message, entry.fields])[:16]
            key = f"{part.inner}:{told}:{seen.times(told)}"
            if part.inner not in hive.copied or hive.first(KIND, key, part.path) is None:
                part.add("event_log", key, f"line {entry.line}", **_columns(part, entry, at))
                yield None
    _tell(part, faults)


def _tell(part: HivePart, faults: list[Fault]) -> None:
    for line, what in faults:
        part.tell("error", f"line {line}", what)
    faults.clear()


def _columns(part: HivePart, entry: LogEntry, at: str) -> Object:
    where = f"line {entry.line}"
    fields: Object = part.clean(entry.fields, where)
    agent = text_in(fields.get("agent_id"))
    return {
        "timestamp": at,
        "workspace_id": part.hive.workspace_id,
        "type": KIND,
        "entity_type": "agent" if agent else "workspace",
        "entity_id": agent or part.hive.workspace_id,
        "agent": agent,
        "severity": entry.severity,
        "message": fields.get("message") if entry.grammar == "json" else part.clean(entry.message, where),
        "correlation_id": text_in(fields.get("correlation_id")),
        "source": part.path,
        "source_line": entry.line,
        "data": _data(entry, fields, at),
    }


def _data(entry: LogEntry, fields: Object, at: str) -> Object:
    """Return what the columns do not say, and what they say otherwise than the line."""
    if entry.grammar == "json":
        return {"grammar": "json", "entry": fields}
    told: dict[str, Any] = {"grammar": entry.grammar, "level": entry.level, "logger": entry.logger, **fields}
    told["time"] = entry.time if entry.time != at else None
    return {name: value for name, value in told.items() if value is not None}
