"""What agents of a hive told each other: messages, completions, heartbeats, alerts, progress and reports."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

from server.importers.agent_hive import agents
from server.importers.agent_hive.hive import (
    COORDINATOR,
    NAME,
    SAME,
    Hive,
    HivePart,
    digest,
    figure,
    first_text,
    first_time,
    ident,
    rest,
    text_in,
    where_of,
)
from server.importers.agent_hive.tree import HiveFile
from server.importers.reading import (
    Content,
    UnreadableFile,
    fingerprint,
    is_list,
    is_object,
    list_of,
    modified,
    object_of,
    parse,
    stream,
)
from server.importers.taking import Sink
from server.importers.values import Fields, Object, plain_word
from server.importers.values import text as as_text
from server.importers.vocabulary import priority
from server.models.imports import ImportBatch

SEVERITIES = ("debug", "info", "warning", "error", "critical")
SEVERITY_NAMES = {
    "warn": "warning", "fatal": "critical", "emergency": "critical", "low": "info", "medium": "warning",
    "high": "error", "red": "critical", "orange": "error", "yellow": "warning", "green": "info",
}  # fmt: skip
EVENT_TYPES = ("event_type", "type", "alert_type", "escalation_type")
GATES = {"true": "passed", "false": "failed", "pass": "passed", "passed": "passed", "fail": "failed",
         "failed": "failed",
         "skip": "skipped", "skipped": "skipped", "success": "passed", "merged": "passed"}  # fmt: skip
LONG = 1024 * 1024  # bytes of a file that is read line by line: its values take many times as much
SAMPLE = 20  # lines that show whether it can be
SIZE = 500  # rows in one batch
SCALE = {"4": "medium", "6": "low", "7": "low", "8": "low", "9": "low", "10": "low"}  # the lowest is served first


# Messages


def read_inbox(part: HivePart, text: str) -> None:
    """Make messages of an inbox, which is the file of the agent that they are for."""
    found = part.values(text)
    for item in found:
        _messages(part, item.value, where_of(item, found), item.line)


def _messages(part: HivePart, value: Any, where: str, line: int) -> None:
    del line
    for number, entry in enumerate(list_of(value) if is_list(value) else [value]):
        at = f"$[{number}]" if is_list(value) else where
        if is_object(entry):
            message(part, object_of(entry), at, to=part.stem)
        else:
            part.tell("error", at, "no message; it is kept in the raw bytes only", entry)


def message(part: HivePart, value: Object, where: str, *, to: str) -> None:
    """Add a message. One without an id is told apart by what it says."""
    found = part.fields(value, where)
    message_id = ident(found, "id", "message_id") or digest(value)[:24]
    to_agent = found.text("to") or found.text("to_agent") or to
    if not part.is_new("message", f"{to_agent} {message_id}"):
        return
    content = first_text(value, "content", "message")
    if content is not None:
        found.raw("content" if text_in(value.get("content")) else "message")
    at = part.hive.past(found.maybe_moment("timestamp") or found.maybe_moment("sent_at"), part.at)
    acknowledged_at = found.maybe_moment("acknowledged_at")
    part.add(
        "messages",
        part.make.id("msg", to_agent, message_id),
        where,
        from_agent=found.text("from") or found.text("from_agent"),
        to_agent=to_agent,
        thread_id=found.text("thread_id"),
        message_type=found.text("type") or found.text("message_type"),
        priority=priority(found, more=SCALE) if found.keep("priority") is not None else "medium",
        content=content if content is not None else as_text(value.get("content", value)),
        correlation_id=found.text("correlation_id"),
        delivered_at=found.maybe_moment("delivered_at"),
        acknowledged_at=acknowledged_at,
        acknowledged_by=to_agent if acknowledged_at else None,
        expires_at=found.maybe_moment("expires_at"),
        external_id=message_id,
        extra=rest(found.left),
        created_at=at,
        updated_at=max(at, acknowledged_at or at),
    )


# Completions


def read_completions(part: HivePart, text: str) -> None:
    """Add what a file says, however its values were put together."""
    found = part.values(text)
    for item in found:
        _add_completion(part, item.value, where_of(item, found), item.line)


def is_long(file: HiveFile) -> bool:
    """Return whether a file is too long to be read whole, and has a value a line, as the first of them show."""
    entry = file.entry
    try:
        if file.kind not in BY_LINE or entry.location.stat().st_size <= LONG:
            return False
        lines = (line for _, line in stream(entry, Content(entry.path, "", 0, b"", ""), packs=False) if line.strip())
        is_named_so = entry.path.endswith(".jsonl")
        first = list(islice(lines, 1 if is_named_so else SAMPLE))
        are_values = all(is_object(parse(line.decode("utf-8-sig", "replace"), [])) for line in first)
        return are_values and len(first) > (0 if is_named_so else 1)
    except (OSError, UnreadableFile):
        return False


def read_long(hive: Hive, file: HiveFile) -> Iterator[ImportBatch]:
    """Yield what a long file becomes, some hundred rows at a time; of a copy with the same bytes only its account."""
    entry, sink = file.entry, Sink(hive.workspace_id)
    before = hive.first(f"bytes {file.inner}", fingerprint(entry.location, entry.path)[0], entry.path)
    is_same = bool(before and file.is_copy)
    make = hive.taker.maker(entry.path, modified(entry.location))
    part = HivePart(hive, entry.path, file.inner, make, sink.batch, file.is_copy)
    for number, value in hive.taker.lines(entry, sink):
        if value is not None and not is_same:
            BY_LINE[file.kind](part, value, f"line {number}", number)
        if len(sink.batch.rows) >= SIZE:
            yield sink.taken()
            part.batch = sink.batch
    if is_same:
        sink.batch.findings.clear()  # which stand in the report already, of the other file
        sink.batch.files[:] = [replace(one, status="duplicate", reason=SAME.format(before)) for one in sink.batch.files]
    yield sink.taken()


def _add_completion(part: HivePart, value: Any, where: str, line: int) -> None:
    if is_object(value):
        _completion(part, object_of(value), where, line)
    else:
        part.tell("error", f"line {line}", "no completion; it is kept in the raw bytes only", value)


def _completion(part: HivePart, value: Object, where: str, line: int) -> None:
    told = digest(value)
    if not part.is_new("completion", told):
        return
    agent = first_text(value, "agent_id") or "unknown"
    summary = object_of(value.get("summary"))
    at = part.hive.past(first_time(value, "completion_time", "timestamp"), part.at)
    part.add(
        "lineage",
        part.make.id("hand", told),
        where,
        from_agent=agent,
        to_agent=COORDINATOR,
        reason=first_text(summary, "task_description") or "completed",
        state=first_text(value, "overall_status"),
        data=value,
        external_id=f"{part.inner}:{line}",
        created_at=at,
    )
    agents.note(part, agent, value, where)
    for name, result in object_of(value.get("validation")).items():
        gate(part, name, result, f"{where}.validation.{name}", agent=agent, at=at, key=told)


def gate(part: HivePart, name: str, result: Any, where: str, *, agent: str | None, at: str, key: str) -> None:
    """Add what a check said."""
    part.add(
        "quality_gates",
        part.make.id("gate", key, name),
        where,
        gate_name=name,
        status=GATES.get(plain_word(result), "unknown"),
        raw_status=as_text(result),
        agent=agent,
        recorded_at=at,
        created_at=at,
        external_id=name,
    )


# Heartbeats, alerts, crises


def read_heartbeats(part: HivePart, text: str) -> None:
    found = part.values(text)
    for item in found:
        _heartbeat(part, item.value, where_of(item, found), item.line)


def _heartbeat(part: HivePart, told: Any, where: str, line: int) -> None:
    del line
    value = object_of(told)
    if event(part, value, where, otherwise="heartbeat") and (agent := first_text(value, "agent_id")):
        agents.note(part, agent, value, where, status=first_text(value, "status"))


def read_events(part: HivePart, text: str) -> None:
    """Make events of a file of them: a list under `events`, or one value after the other."""
    found = part.values(text)
    for item in found:
        _events(part, item.value, where_of(item, found), item.line)


def _events(part: HivePart, told: Any, where: str, line: int) -> None:
    del line
    value = object_of(told)
    listed = list_of(value.get("events")) if "events" in value else list_of(told)
    for number, entry in enumerate(listed):
        at = f"{where}.events[{number}]" if "events" in value else f"{where}[{number}]"
        if is_object(entry):
            event(part, object_of(entry), at)
        else:
            part.tell("error", at, "no event; it is kept in the raw bytes only", entry)
    rest_of = {name: entry for name, entry in value.items() if name != "events"}
    if "events" in value and rest_of:
        part.context(part.path, rest_of, where)
    elif value and "events" not in value:
        event(part, value, where)


def event(part: HivePart, value: Object, where: str, otherwise: str = "event") -> bool:
    """Add an event, once for its id or its content; return whether it is new."""
    told = first_text(value, "event_id") or digest(value)[:24]
    if not part.is_new("event", told):
        return False
    agent = first_text(value, "agent_id", "source")
    at = part.hive.past(first_time(value, "timestamp", "created_at"), part.at)
    part.add(
        "event_log",
        f"event:{told}",
        where,
        timestamp=at,
        workspace_id=part.hive.workspace_id,
        type=next((text for name in EVENT_TYPES if (text := text_in(value.get(name)))), otherwise),
        entity_type="agent" if agent else "workspace",
        entity_id=agent or part.hive.workspace_id,
        agent=agent,
        severity=severity(first_text(value, "severity", "level", "escalation_level")),
        message=first_text(value, "message", "description") or otherwise,
        correlation_id=first_text(value, "correlation_id", "event_id"),
        source=part.path,
        source_line=int(where[5:]) if where.startswith("line ") and where[5:].isdecimal() else None,
        data={NAME: value},
    )
    return True


def severity(told: str | None) -> str | None:
    """Return a severity of ours for one of theirs."""
    plain = plain_word(told or "")
    return plain if plain in SEVERITIES else SEVERITY_NAMES.get(plain)


# Kinds of files that may have a value a line, with what becomes of each.
BY_LINE: dict[str, Callable[[HivePart, Any, str, int], None]] = {
    "completions": _add_completion, "events": _events, "heartbeat": _heartbeat, "inbox": _messages,
}  # fmt: skip


# Progress, and reports


def read_progress(part: HivePart, text: str) -> None:
    """Keep a report of progress whole, and how far each component of it is."""
    found = part.values(text)
    for item in found:
        value, where = object_of(item.value), where_of(item, found)
        part.context(part.path if where == "$" else f"{part.path}#{item.line}", item.value, where)
        if part.is_copy:
            continue
        current = object_of(value.get("current_status"))
        if name := first_text(value, "component_id"):
            _progress(
                part, name, current | {"report_timestamp": value.get("report_timestamp")}, f"{where}.current_status"
            )
        for name, told in object_of(value.get("component_summary")).items():
            if is_object(told):
                _progress(part, name, object_of(told), f"{where}.component_summary.{name}", overall=True)


def _progress(part: HivePart, name: str, value: Object, where: str, *, overall: bool = False) -> None:
    found = part.fields(value, where)
    percent = figure(found, "progress_percentage")
    if percent is None or not part.is_new("progress", name + ("/overall" if overall else "")):
        return
    at = part.hive.past(first_time(value, "report_timestamp", "last_updated"), part.at)
    task = f"{name} (overall)" if overall else name
    part.add(
        "task_progress",
        part.make.id("prog", task),
        where,
        parent_type="workspace",
        parent_id=part.hive.workspace_id,
        task_name=task,
        percent=min(max(percent, 0.0), 100.0),
        status=_state(found),
        message=first_text(value, "phase"),
        agent=first_text(value, "responsible_agent"),
        external_id=name,
        extra=rest({"progress_percentage": percent} if not 0 <= percent <= 100 else {}),
        started_at=at,
        created_at=at,
        updated_at=at,
    )


def _state(found: Fields) -> str:
    """Return the state of a job. Nobody works on it any more: what was under way is neither done nor failed."""
    plain = plain_word(found.keep("status") or "")
    if plain in ("completed", "complete", "done"):
        return "completed"
    return {"failed": "failed", "cancelled": "cancelled", "canceled": "cancelled"}.get(plain, "running")


def read_report(part: HivePart, text: str) -> None:
    """Keep a report whole; what it says of the agents' tasks is progress too."""
    found = part.values(text)
    for item in found:
        where = where_of(item, found)
        part.context(part.path if where == "$" else f"{part.path}#{item.line}", item.value, where)
        detailed = object_of(object_of(item.value).get("detailed_status"))
        for level, tasks in detailed.items() if not part.is_copy else ():
            for number, task in enumerate(list_of(tasks)):
                if is_object(task):
                    _accountable(part, object_of(task), f"{where}.detailed_status.{level}[{number}]")


def _accountable(part: HivePart, value: Object, where: str) -> None:
    if name := first_text(value, "task_id"):
        _progress(part, name, {**value, "responsible_agent": value.get("agent_id")}, where)


# Rows of databases


def message_row(part: HivePart, value: Object, where: str) -> bool:
    count = len(part.batch.rows)
    message(part, value, where, to="unknown")
    return len(part.batch.rows) > count


def event_row(part: HivePart, value: Object, where: str) -> bool:
    return event(part, value, where)


def sync_row(part: HivePart, value: Object, where: str) -> bool:
    """Make an event of a synchronisation of the backlog."""
    said = {"event_id": str(value.get("batch_id")), "event_type": "backlog_sync", **value}
    return event(part, said, where, otherwise="backlog_sync")
