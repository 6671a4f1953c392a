"""The files and databases that LeanVibe's agent-hive leaves in a project, in and beside its `.claude` folder."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from server.importers import layout
from server.importers.agent_hive import (
    agents,
    configuration,
    databases,
    exchange,
    logs,
    memories,
    plans,
    tree,
)
from server.importers.agent_hive.hive import NAME, SAME, Hive, HivePart, name_of
from server.importers.agent_hive.tree import HiveFile, HiveTree
from server.importers.layout import Known, RecognisedSource, SourceFile
from server.importers.slugs import plain
from server.importers.taking import Taker
from server.models.imports import ImportBatch

__all__ = ["NAME", "files", "read", "recognise"]

MARKS = tuple((mark, "") for mark in tree.MARKS)
Mapper = Callable[[HivePart, str], None]
MAPPERS: dict[str, Mapper] = {
    "backlog": plans.read_backlog,
    "content": partial(memories.snapshots, kind="memory_snapshot"),
    "completions": exchange.read_completions,
    "memory": memories.memory,
    "context": memories.context,
    "text": lambda part, text: part.note(text, part.path) and None,
    "agent": agents.read_agent,
    "checkpoint": memories.snapshots,
    "inbox": exchange.read_inbox,
    "heartbeat": exchange.read_heartbeats,
    "progress": exchange.read_progress,
    "events": exchange.read_events,
    "milestones": plans.read_milestones,
    "report": exchange.read_report,
    "configuration": configuration.read,
}
YAML = (".yaml", ".yml")
COMPANION = "a part of the database beside it"


def recognise(path: Path) -> RecognisedSource | None:
    """Return the hive that a project, its `.claude` or one of its files is."""
    found = tree.find(path.absolute())
    return layout.project(NAME, found.folder, found) if found else None


def files(source: RecognisedSource) -> Iterator[SourceFile]:
    """Yield every file of the hive; what else is in the project is none of it."""
    owner = source.workspaces[0].workspace_id
    for file in tree.files(source.detail):
        yield SourceFile(owner, file.entry.path, file.entry.location, file.entry.odd)


def read(source: RecognisedSource, known: Known) -> Iterator[ImportBatch]:
    """Yield what the hive becomes, file by file, then the plans and agents of which several files tell."""
    found: HiveTree = source.detail
    owner = source.workspaces[0].workspace_id
    taker = Taker(known, NAME, owner)
    hive = Hive(found, taker, known, known.targets[owner])
    listed = tree.files(found)
    hive.copied = {file.inner for file in listed if file.is_copy}
    texts = [file.inner for file in listed if file.kind == "memory" and not file.is_copy]
    hive.essentials.update(plain(name_of(inner)) for inner in texts if memories.is_essential(inner))
    hive.contents = [file for file in listed if file.kind == "content"]
    if taker.is_new:
        folder = known.paths.get(hive.workspace_id) or str(found.folder)
        row = taker.maker("", known.now).workspace(folder, Path(folder).name or folder)
        yield ImportBatch(hive.workspace_id, rows=[row])
    for file in listed:
        yield from _file(hive, file)
    yield from plans.finished(hive)
    yield from agents.finished(hive)


def _file(hive: Hive, file: HiveFile) -> Iterator[ImportBatch]:
    if file.entry.odd or file.kind == "companion":
        yield hive.taker.skipped(file.entry, file.entry.odd or COMPANION)
    elif file.kind == "log":
        yield from logs.read(hive, file)
    elif exchange.is_long(file):
        yield from exchange.read_long(hive, file)
    elif file.kind == "database":
        yield from databases.read(hive, file)
    elif file.kind == "configuration" and file.inner.endswith(YAML):
        yield _yaml(hive, file)
    else:
        yield _text(hive, file)


def _yaml(hive: Hive, file: HiveFile) -> ImportBatch:
    batch, taken = hive.taker.yaml(file.entry)
    if taken and not _is_same(hive, part := HivePart.of(hive, file, taken)):
        configuration.read_yaml(part, taken.value)
    return batch


def _text(hive: Hive, file: HiveFile) -> ImportBatch:
    batch, taken = hive.taker.text(file.entry)
    if taken and not _is_same(hive, part := HivePart.of(hive, file, taken)):
        MAPPERS[file.kind](part, taken.value)
    return batch


def _is_same(hive: Hive, part: HivePart) -> bool:
    """Return whether a copy has the bytes of what it is a copy of, and account for it."""
    sha256 = part.taken.content.sha256 if part.taken else ""
    before = hive.first(f"bytes {part.inner}", sha256, part.path)
    if before and part.is_copy:
        part.mark("duplicate", SAME.format(before))
    return bool(before and part.is_copy)
