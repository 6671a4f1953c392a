"""Events and logs of a file store: who did what when, long ago."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Any

from server.db.interchange.seen import Seen
from server.importers.legacy.survey import NO_TIME, Survey
from server.importers.reading import Note, UnreadableFile, parse
from server.importers.values import Fields, Object, Teller, fields
from server.models.base import encode
from server.models.imports import Finding, ImportedRow

EVENTS = re.compile(r"events/[^/]+\.(log|ndjson|jsonl)(\.\d+)?")


def event(survey: Survey, value: Any, at: str, teller: Teller, otherwise: str) -> ImportedRow | None:
    """Return an event. Its id tells it apart, wherever it stands."""
    found = fields(value, at, teller)
    if found is None:
        return None
    event_id = found.text("id") or _digest(value)
    plan_id = found.text("plan_id")
    workspace_id = _workspace(survey, found, plan_id)
    kind = found.text("type") or found.text("event_type") or "unknown"
    agent = found.text("agent_type")
    moment = _past(survey, found, otherwise)
    data: Object = {"legacy_id": event_id, "data": found.raw("data")}
    entity = ("plan", plan_id) if plan_id else ("workspace", workspace_id or event_id)
    values = {
        "timestamp": moment,
        "workspace_id": workspace_id,
        "plan_id": plan_id,
        "type": kind,
        "entity_type": entity[0],
        "entity_id": entity[1],
        "session_id": None,
        "agent": agent,
        "tool": found.text("tool_name"),
        "action": None,
        "data": {**data, **found.extra()},
    }
    return ImportedRow("event_log", event_id, values, teller.path, at)


def _past(survey: Survey, found: Fields, otherwise: str) -> str:
    """Take the time of an entry. One in the future would drag the clock that decides about leases along."""
    at = found.moment("timestamp", otherwise)
    if at <= survey.known.now:
        return at
    found.left["timestamp"] = found.keep("timestamp")
    found.teller.warn(f"{found.at}.timestamp", "in the future; that of the import counts", at, survey.known.now)
    return survey.known.now


def _workspace(survey: Survey, found: Fields, plan_id: str | None) -> str | None:
    """Return the workspace of an event: the one it names, else that of its plan."""
    told = found.keep("workspace_id")
    known = survey.resolve(told)
    if known:
        if known == told:
            found.raw("workspace_id")
        return known
    plan = survey.plans.get(plan_id or "")
    if told is not None:
        found.teller.warn(f"{found.at}.workspace_id", "no workspace of the store", told)
    return survey.target(plan.place) if plan else None


def _digest(value: Any) -> str:
    return hashlib.sha256(encode(value).encode("utf-8", "replace")).hexdigest()[:24]


def is_first(seen: Seen, row: ImportedRow, value: Any, findings: list[Finding]) -> bool:
    """Return whether an event was not read before; another one under its id is told of, and left out."""
    digest = bytes.fromhex(_digest(value))
    known = seen.first(row.key, digest)
    if known not in (None, digest):
        findings.append(Finding("warning", row.path, row.json_path, "another event has that id; left out", value))
    return known is None


def lines(
    survey: Survey, found: Iterable[tuple[int, bytes]], path: str, findings: list[Finding]
) -> Iterator[tuple[ImportedRow, Any]]:
    """Yield the events of a log of JSON lines, each with its JSON. A broken line costs itself alone."""
    for number, line in found:
        if not line.strip():
            continue
        notes: list[Note] = []
        where = f"line {number}"
        try:
            value = parse(line.decode("utf-8-sig"), notes)
        except UnicodeDecodeError as error:
            findings.append(Finding("error", path, where, f"not UTF-8 (byte {error.start}); left out"))
            continue
        except UnreadableFile as error:
            findings.append(Finding("error", path, where, f"left out: {error}"))
            continue
        findings.extend(Finding(severity, path, where, what) for severity, what in notes)
        if entry := event(survey, value, where, Teller(path, findings), NO_TIME):
            yield entry, value


def updates(
    survey: Survey, workspace_id: str, log: str, listed: Iterable[tuple[str, Any]], teller: Teller
) -> Iterator[ImportedRow]:
    """Yield the entries of an update or audit log; equal ones are told apart by their number."""
    with Seen() as seen:
        for where, value in listed:
            if found := fields(value, where, teller):
                digest = _digest(value)
                key = f"{digest}-{log}-{workspace_id}-{seen.times(digest)}"
                values = {"workspace_id": workspace_id, **_update(survey, found, log)}
                yield ImportedRow("update_log", key, values, teller.path, where)


def _update(survey: Survey, found: Fields, log: str) -> Object:
    action = found.text("action")
    summary = found.text("summary")
    if summary is None:
        summary = action or log
        found.defaulted("summary", summary)
    values = {
        "timestamp": _past(survey, found, NO_TIME),
        "plan_id": found.text("plan_id"),
        "tool": found.text("tool"),
        "action": action,
        "session_id": found.text("session_id"),
        "agent": found.text("agent"),
        "summary": summary,
    }
    return values | {"extra": {"legacy": {"log": log, **found.left}}}
