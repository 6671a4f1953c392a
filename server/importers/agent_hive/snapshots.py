"""Snapshots and checkpoints in a hive's databases: their content is in the row, or in a file that must be there."""

from pathlib import PurePosixPath
from typing import Any

from server.importers.agent_hive.hive import HivePart, digest, figure, ident, numbers_in, rest, texts_in
from server.importers.agent_hive.tree import HiveFile
from server.importers.reading import UnreadableFile, is_object, json_of, object_of
from server.importers.reading import read as read_file
from server.importers.taking import WHOLE_BYTES
from server.importers.values import Fields, Object

CONTENT = "content"  # of what snapshots are told apart by


def row(part: HivePart, value: Object, where: str) -> bool:
    """Make a checkpoint of a memory snapshot. One whose file is missing is an error, and its row is kept."""
    found = part.fields(value, where)
    snapshot_id = ident(found, "snapshot_id") or where
    content = found.raw("content") if "content" in found else _content(part, found, where)
    if content is None:
        return False
    told = digest(content)
    if before := part.hive.first(CONTENT, told, f"{part.path} {snapshot_id}"):
        part.tell("info", where, f"its content is that of {before}, which is kept once", snapshot_id)
        return False
    session = ident(found, "session_id")
    at = part.hive.past(found.maybe_moment("created_at"), part.at)
    part.add(
        "checkpoints",
        part.make.id("check", told),
        where,
        name=snapshot_id,
        kind=found.text("memory_type") or "memory_snapshot",
        session_id=part.make.id("sess", session) if session else None,
        content_hash=told,
        importance=figure(found, "importance_score"),
        expires_at=found.maybe_moment("expires_at"),
        tags=texts_in(found.raw("tags")),
        external_id=snapshot_id,
        data=content if is_object(content) else {"value": content},
        extra=rest(found.left),
        created_at=at,
    )
    return True


def _content(part: HivePart, found: Fields, where: str) -> Any:
    """Return what the file of a snapshot holds; None, which is told, if there is none or it is another one."""
    path = str(found.keep("content_path") or "")
    file = _file(part, path)
    if file is None:
        part.tell("error", where, "the file of the snapshot is missing", path or None)
        return None
    try:
        content = read_file(file.entry, lambda path, sha256: None, WHOLE_BYTES)
        value = json_of(content)
    except (OSError, UnreadableFile) as error:
        part.tell("error", where, f"the file of the snapshot cannot be read: {error}", path)
        return None
    told = found.keep("content_hash")
    hashes = (content.sha256, digest(value), digest(value, in_ascii=True))
    if told and told not in hashes:
        part.tell("error", where, "the file of the snapshot holds another content than its hash says", path)
    return part.clean(value, where)


def _file(part: HivePart, path: str) -> HiveFile | None:
    """Return the file of the source that a path of a database means: below it, or below the folder above it."""
    plain = PurePosixPath(path.replace("\\", "/"))
    if not path or plain.is_absolute() or ".." in plain.parts:
        return None
    base = PurePosixPath(part.path).parent
    wanted = {str(folder / plain) for folder in (base, base.parent, PurePosixPath("."), PurePosixPath(".claude"))}
    return next((file for file in part.hive.contents if file.entry.path in wanted and not file.entry.odd), None)


def checkpoint(part: HivePart, value: Object, where: str) -> bool:
    """Make a checkpoint of a row of any of the tables of that name."""
    found = part.fields(value, where)
    checkpoint_id = ident(found, "checkpoint_id", "id") or where
    if not part.is_new("checkpoint", checkpoint_id):
        return False
    at = part.hive.past(found.maybe_moment("created_at") or found.maybe_moment("timestamp"), part.at)
    data, figures = found.raw("data"), found.raw("metrics")
    project = part.hive.plans.get(f"project/{value.get('project_id')}")
    passed = found.raw("passed")
    part.add(
        "checkpoints",
        part.make.id("check", "id", checkpoint_id),
        where,
        plan_id=project.plan_id if project else None,
        name=found.text("name") or found.text("checkpoint_name") or checkpoint_id,
        kind="checkpoint",
        git_ref=found.text("git_tag"),
        content_hash=digest(data) if data is not None else None,
        metrics=dict(numbers_in(figures)),
        quality_score=figure(found, "quality_score"),
        passed=None if passed is None else int(bool(passed)),
        validated_at=found.maybe_moment("validated_at"),
        data=data if is_object(data) else {} if data is None else {"value": data},
        external_id=checkpoint_id,
        extra=rest(found.left | ({"metrics": figures} if object_of(figures) else {})),
        created_at=at,
    )
    return True
