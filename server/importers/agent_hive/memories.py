"""What the agents of a hive remembered: snapshots and checkpoints, by their content, and texts in Markdown."""

import re

from server.importers.agent_hive.hive import (
    HivePart,
    digest,
    figure,
    first_text,
    first_time,
    name_of,
    numbers_in,
    rest,
    text_in,
    where_of,
)
from server.importers.agent_hive.loose_json import Located
from server.importers.reading import is_object, object_of
from server.importers.slugs import among, plain
from server.importers.values import Object
from server.models.imports import ImportedRow

TIMES = ("timestamp", "session_timestamp", "created_at", "capture_time", "_timestamp")
NAMES = ("checkpoint_name", "name", "checkpoint_id", "snapshot_id")
CHECKSUM = "_checksum"
HEADING = re.compile(r"^#\s+(.+?)\s*$", re.MULTILINE)
ESSENTIAL = "ESSENTIAL_"
KNOWN_KINDS = {"consolidation_level": "memory_snapshot", "consolidation_type": "consolidation",
               "agent_states": "migration_backup"}  # fmt: skip


def snapshots(part: HivePart, text: str, kind: str = "checkpoint") -> None:
    """Keep each value of a file as a checkpoint, once for its content."""
    found = part.values(text)
    before = [snapshot(part, item.value, where_of(item, found), kind) for item in found]
    if found and None not in before:
        part.mark("duplicate", f"its content is that of {before[0]}")


def snapshot(part: HivePart, value: object, where: str, kind: str) -> str | None:
    """Keep one value; return the file that has the same content already, or None."""
    content = object_of(value) if is_object(value) else {"value": value}
    told = digest({name: item for name, item in content.items() if name not in (CHECKSUM, "_timestamp")})
    _check(part, content, where)
    if before := part.hive.first("content", told, part.path):
        return before
    kept(part, told, content, where, kind=_kind(content, kind))
    return None


def kept(part: HivePart, told: str, content: Object, where: str, *, kind: str, **more: object) -> ImportedRow:
    """Add the checkpoint of a content. `more` are columns that something else than the content tells."""
    git = object_of(content.get("git_status"))
    at = part.hive.past(first_time(content, *TIMES), part.at)
    columns: Object = {
        "name": first_text(content, *NAMES) or part.stem,
        "kind": kind,
        "agent": first_text(content, "agent_id", "main_agent_role"),
        "git_ref": first_text(git, "commit_hash") or first_text(content, "git_tag"),
        "content_hash": told,
        "metrics": dict(numbers_in(content.get("quality_metrics"))),
        "external_id": first_text(content, "checkpoint_id", "snapshot_id"),
        "data": content,
        "created_at": at,
        **more,
    }
    return part.add("checkpoints", part.make.id("check", told), where, **columns)


def _kind(content: Object, otherwise: str) -> str:
    return next((kind for name, kind in KNOWN_KINDS.items() if name in content), otherwise)


def _check(part: HivePart, content: Object, where: str) -> None:
    """Compare the checksum that some writers leave with what there is."""
    told = content.get(CHECKSUM)
    bare = {name: item for name, item in content.items() if not name.startswith("_")}
    if isinstance(told, str) and told not in (digest(bare), digest(bare, in_ascii=True)):
        part.tell("warning", f"{where}.{CHECKSUM}", "the checksum is not that of the content", told)


def memory(part: HivePart, text: str) -> None:
    """Keep a file of the memory: JSON, whatever its name says, is a snapshot; a text is knowledge or a document."""
    if part.inner.endswith(".json") or _is_json(text):
        snapshots(part, text, "consolidation" if part.inner.endswith(".md") else "memory_snapshot")
    elif is_essential(part.inner) and not part.is_copy:
        _knowledge(part, text)
    else:
        part.note(text, part.path)


def is_essential(inner: str) -> bool:
    """Return whether a text of the memory is knowledge, by its name."""
    return name_of(inner).startswith(ESSENTIAL)


def _knowledge(part: HivePart, text: str) -> None:
    """Add a text as knowledge, under the name of its file; the path tells apart those that read alike."""
    alike, heading = part.hive.essentials, HEADING.search(text)
    is_shared = alike[plain(part.stem)] > 1
    key = part.make.id("know", part.path if is_shared else plain(part.stem))
    slug = among(alike, part.stem, foreign=(part.path,), otherwise="knowledge")
    title = heading[1] if heading else part.stem
    part.add("knowledge", key, slug=slug, title=title, content=text, tags=["agent-hive"])


def _is_json(text: str) -> bool:
    return text.lstrip("\ufeff \t\r\n")[:1] == "{"


def context(part: HivePart, text: str) -> None:
    """Keep a file of `.claude/context`: a session, if it tells of one, or else context as it is."""
    found = part.values(text)
    for item in found:
        value = object_of(item.value)
        where = where_of(item, found)
        if text_in(value.get("agent_id")) and {"usage_percent", "token_count", "session_id"} & value.keys():
            session(part, value, where)
        else:
            _whole(part, item, found)


def _whole(part: HivePart, item: Located, found: list[Located]) -> None:
    number = found.index(item)
    part.context(part.path if not number else f"{part.path}#{number + 1}", item.value, where_of(item, found))


def session(part: HivePart, value: Object, where: str) -> str:
    """Add a session. Nobody is at work in it any more: one that was still active is orphaned."""
    found = part.fields(value, where)
    session_id = found.text("session_id") or digest(value)[:24]
    key = part.make.id("sess", session_id)
    if not part.is_new("session", session_id):
        return key
    created_at = part.hive.past(found.moment("created_at", part.at), part.at)
    seen_at = part.hive.past(found.maybe_moment("last_accessed"), created_at)
    is_active = bool(found.flag("is_active")) if "is_active" in found else False
    columns: Object = {
        "agent": found.text("agent_id") or "unknown",
        "status": "orphaned" if is_active else "completed",
        "summary": first_text(value, "summary"),
        "context": _context(found.raw("context_data")),
        "usage_percent": figure(found, "usage_percent"),
        "token_count": found.number("token_count"),
        "max_tokens": found.number("max_tokens"),
        "started_at": created_at,
        "last_seen_at": max(seen_at, created_at),
        "completed_at": None if is_active else max(seen_at, created_at),
        "external_id": session_id,
        "extra": rest(found.left | ({"is_active": value["is_active"]} if "is_active" in value else {})),
        "created_at": created_at,
        "updated_at": max(seen_at, created_at),
    }
    part.add("sessions", key, where, **columns)
    return key


def _context(value: object) -> Object:
    return object_of(value) if is_object(value) else {"value": value} if value is not None else {}


def session_row(part: HivePart, value: Object, where: str) -> bool:
    count = len(part.batch.rows)
    session(part, value, where)
    return len(part.batch.rows) > count
