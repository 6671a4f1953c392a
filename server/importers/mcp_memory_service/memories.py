"""Memories on their way into facts: the key is the hash, the value all that is told but the embedding."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

from server.db.storage.foreign import ForeignDatabase
from server.importers.reading import Entry, UnreadableFile, is_object, modified, object_of, parse
from server.importers.rows import RowMaker
from server.importers.taking import Sink, Taken, Taker
from server.importers.values import Fields, Object, QuietTeller, derived, fields, text
from server.models.imports import Finding, ImportBatch

NAMESPACE = "memories"
NOT_KEPT = ("embedding", "embeddings")  # numbers that a model makes anew of the content
MEMORIES, GRAPH = "memories", "memory_graph"
ROWS = 500  # in one batch
SQLITE = b"SQLite format 3\0"
TABLE = re.compile(rb"CREATE TABLE (?:IF NOT EXISTS )?\W?memories\W?\s*\([^)]*content_hash")
EXPORT = "export"  # the fact that holds what the newest export says of itself


@dataclass(frozen=True)
class Memories:
    """Where memories go to. `seen` has the hashes that were taken already, with their place."""

    make: RowMaker
    batch: ImportBatch
    seen: dict[str, str]

    def add(self, memory: Fields) -> None:
        for name in NOT_KEPT:
            memory.left.pop(name, None)
        content = memory.keep("content")
        key = _key(memory.keep("content_hash"), content)
        if key is None:
            memory.teller.tell("error", memory.at, "no memory: it has neither content nor a hash", memory.left)
            return
        where = f"{self.make.path} {memory.at}"
        if key in self.seen:
            memory.teller.info(memory.at, f"the same memory stands in {self.seen[key]}, which counts", key)
            return
        self.seen[key] = where
        value: dict[str, Any] = dict(memory.left)
        created_at = _moment(memory, "created_at") or self.make.at
        updated_at = _moment(memory, "updated_at") or created_at
        times = {"created_at": created_at, "updated_at": max(created_at, updated_at)}
        fact = self.make.fact(NAMESPACE, key, value, memory.at, created_by=_author(memory), **times)
        self.batch.rows.append(fact)


def of_export(taken: Taken, seen: dict[str, str]) -> None:
    """Add the memories of an export."""
    whole = fields(taken.value, "$", taken.teller)
    if whole is None:
        taken.mark("failed", "no object")
        return
    found = Memories(taken.make, taken.batch, seen)
    for where, value in whole.objects("memories"):
        if not is_object(value):
            taken.teller.tell("error", where, "no memory", value)
            continue
        found.add(Fields(object_of(value), where, taken.teller))
    if "memories" in whole.left:
        taken.teller.tell("error", "$.memories", "no list of memories")
    if EXPORT not in seen:
        seen[EXPORT] = taken.content.path
        taken.add(taken.make.fact(taken.make.system, EXPORT, whole.left))


def is_database(head: bytes) -> bool:
    """Return whether a file that begins so is a database of memories."""
    return head.startswith(SQLITE) and TABLE.search(head) is not None


def of_database(taker: Taker, entry: Entry, seen: dict[str, str]) -> Iterator[ImportBatch]:
    """Yield the memories of a database as an export of it has them, then how they are associated."""
    sink = Sink(taker.workspace_id)
    make = taker.maker(entry.path, modified(entry.location))
    with taker.database(entry, sink) as db:
        for _ in _pages(taker, make, sink, db, seen) if db else ():
            yield sink.taken()
    yield sink.taken()


def _pages(taker: Taker, make: RowMaker, sink: Sink, db: ForeignDatabase, seen: dict[str, str]) -> Iterator[None]:
    """Add what a database holds, and yield when a batch is full."""
    gone = 0
    for number, row in enumerate(db.rows(MEMORIES), 1):
        where = f"{MEMORIES}[{row.get('id', number)}]"
        if row.get("deleted_at") is not None:
            gone += 1
            continue
        told = taker.clean(_told(row), sink.batch, make.path, where)
        Memories(make, sink.batch, seen).add(Fields(told, where, QuietTeller(make.path, sink.batch.findings)))
        if number % ROWS == 0:
            yield
    if gone:
        what = "memories that were deleted there, and are not imported"
        sink.batch.findings.append(Finding("info", make.path, MEMORIES, what, gone))
    if GRAPH in db.tables():
        associations = map(_plain, db.rows(GRAPH))
        for number in count(1):
            rows, kind = list(islice(associations, ROWS)), f"{GRAPH}/{number}"
            if not rows:
                break
            told = taker.clean({"table": GRAPH, "rows": rows}, sink.batch, make.path, kind)
            sink.add(make.item(("workspace", make.workspace_id), kind, told, kind))
            yield


def _told(row: Object) -> Object:
    """Return a row as an export tells of it: tags as a list, metadata as an object, nothing that is absent."""
    tags, metadata = row.get("tags"), row.get("metadata")
    told = {name: value for name, value in _plain(row).items() if name != "id" and value is not None}
    if isinstance(tags, str):
        told["tags"] = [one for one in map(str.strip, tags.split(",")) if one]
    with suppress(UnreadableFile):
        told |= {"metadata": parse(metadata, [])} if isinstance(metadata, str) and metadata.strip() else {}
    return told


def _plain(row: Object) -> Object:
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in row.items()}


def _key(told: Any, content: Any) -> str | None:
    if isinstance(told, str) and told.strip():
        return told.strip()
    return derived("unhashed", text(content)) if content not in (None, "") else None


def _moment(memory: Fields, name: str) -> str | None:
    """Return a time, of seconds since 1970 or in ISO 8601, as the exporter writes one of them or both."""
    for spelled in (name, f"{name}_iso"):
        if memory.keep(spelled) is not None and (found := memory.maybe_moment(spelled)):
            return found
    return None


def _author(memory: Fields) -> str | None:
    """Return the agent that a memory names as its source."""
    told = object_of(memory.keep("metadata")).get("agent_id")
    return told if isinstance(told, str) and told else None
