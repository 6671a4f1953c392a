"""What all files of a hive share on their way into rows: whose they are, and what stands in another one already."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from server.importers.agent_hive.loose_json import Located, values_in
from server.importers.agent_hive.tree import HiveFile, HiveTree
from server.importers.layout import Known
from server.importers.reading import NOT_KEPT, Note, list_of
from server.importers.rows import RowMaker
from server.importers.taking import Taken, Taker
from server.importers.values import Fields, Object, Teller, moment
from server.models.imports import Finding, ImportBatch, ImportedRow, Severity

NAME: str = "agent-hive"
COORDINATOR = "coordinator"
SAME = "the same bytes as {0}"


def name_of(path: str) -> str:
    """Return what a file is called, without its folder and its ending."""
    return path.rpartition("/")[2].rpartition(".")[0]


@dataclass
class PlanInTheMaking:
    """A plan whose steps may stand in several files: `make` is of the first. `phases` are ids by name.

    `statuses` and `times` are those of its steps; `told` are columns that a file says something about.
    """

    plan_id: str
    make: RowMaker
    told: Object
    where: str = "$"
    phases: dict[str, str] = field(default_factory=dict[str, str])
    statuses: list[str] = field(default_factory=list[str])
    times: list[str] = field(default_factory=list[str])


@dataclass
class Hive:
    """A store in the making.

    `copied`: what the files are called of which there are copies. `firsts`: the digest of a kind and of what tells one
    apart, of which there may be a million -> the file that had it first. `agents`: what all files together say of each.
    `steps`: (kind, what a task is called) -> the step and its plan.
    `projects`: a task -> those that it is of. `contents`: the files of snapshots.
    `essentials`: how many texts of knowledge read alike.
    """

    tree: HiveTree
    taker: Taker
    known: Known
    workspace_id: str
    copied: set[str] = field(default_factory=set[str])
    firsts: dict[bytes, str] = field(default_factory=dict[bytes, str])
    agents: dict[str, Object] = field(default_factory=dict[str, Object])
    steps: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict[tuple[str, str], tuple[str, str]])
    projects: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    contents: list[HiveFile] = field(default_factory=list[HiveFile])
    essentials: Counter[str] = field(default_factory=Counter[str])
    plans: dict[str, PlanInTheMaking] = field(default_factory=dict[str, PlanInTheMaking])

    def first(self, kind: str, key: str, path: str) -> str | None:
        """Take what a key tells apart; return the file that had it before, or None."""
        told = hashlib.blake2b(f"{kind}\0{key}".encode("utf-8", "replace"), digest_size=16).digest()
        before = self.firsts.setdefault(told, path)
        return before if before != path else None

    def past(self, value: object, otherwise: str) -> str:
        """Return a time. One in the future would drag the clock that decides about leases along."""
        return min(moment(value) or otherwise, self.known.now)


@dataclass
class HivePart:
    """One file, or one database, on its way: whose it is, and what takes its rows."""

    hive: Hive
    path: str
    inner: str
    make: RowMaker
    batch: ImportBatch
    is_copy: bool = False
    taken: Taken | None = None
    teller: Teller | None = None  # other than the usual one
    hidden: bool = False  # a secret in it was blanked out

    @classmethod
    def of(cls, hive: Hive, file: HiveFile, taken: Taken) -> "HivePart":
        hidden = taken.content.raw == NOT_KEPT
        part = cls(hive, file.entry.path, file.inner, taken.make, taken.batch, file.is_copy, taken)
        part.hidden = hidden
        return part

    @property
    def at(self) -> str:
        return self.make.at

    @property
    def stem(self) -> str:
        return name_of(self.inner)

    def fields(self, value: Object, where: str = "$") -> Fields:
        return Fields(value, where, self.teller or self.make.teller(self.batch.findings))

    def tell(self, severity: Severity, where: str, what: str, value: Any = None) -> None:
        self.batch.findings.append(Finding(severity, self.path, where, what, value))

    def add(
        self, table: str, key: str, where: str = "$", /, *, plan_id: str | None = None, **columns: Any
    ) -> ImportedRow:
        if "source_system" in self.make.columns[table]:
            columns.setdefault("source_system", NAME)
        row = self.make.row(table, key, where, plan_id=plan_id, **columns)
        self.batch.rows.append(row)
        return row

    def is_new(self, kind: str, key: str) -> bool:
        """Take a record by what tells it apart: one that another file has already is made once."""
        return self.hive.first(kind, key, self.path) is None

    def take(self) -> ImportBatch:
        """Return what was gathered so far, and begin another batch."""
        done, self.batch = self.batch, ImportBatch(self.hive.workspace_id)
        return done

    def mark(self, status: Any = "imported", reason: str | None = None) -> None:
        """Say what became of the file; the bytes of one that hides a secret are not kept."""
        if self.taken:
            self.taken.content.raw = NOT_KEPT if self.hidden else self.taken.content.raw
            self.taken.mark(status, reason)

    def clean(self, value: Any, where: str) -> Any:
        """Return a value without its secrets."""
        cleaned = self.hive.taker.clean(value, self.batch, self.path, where)
        self.hidden = self.hidden or cleaned != value
        return cleaned

    def values(self, text: str) -> list[Located]:
        """Return the JSON of a file, however it was put together; what is none is told, line by line."""
        notes: list[Note] = []
        found, faults = values_in(text, notes)
        for severity, what in notes:
            self.tell(severity, "$", what)
        for fault in faults:
            self.tell("error", f"line {fault.line}", fault.why)
        several = len(found) > 1
        cleaned = [
            Located(item.line, self.clean(item.value, f"line {item.line}" if several else "$"), item.start, item.end)
            for item in found
        ]
        if faults and not found:
            self.mark("failed", faults[0].why)
        else:
            self.mark()
        return cleaned

    def context(
        self, kind: str, value: Any, where: str = "$", *, at: str | None = None, by: str | None = None
    ) -> ImportedRow:
        """Keep a value whole, as context of the workspace."""
        data = cast(Object, value) if isinstance(value, dict) else {"value": value}
        owner = self.hive.workspace_id
        named: Object = {"parent_type": "workspace", "parent_id": owner, "type": kind, "data": data, "created_by": by}
        more = {"created_at": at, "updated_at": at} if at else {}
        return self.add("context_items", self.make.id("ctx", kind), where, **named, **more)

    def note(self, text: str, filename: str) -> ImportedRow:
        """Keep a text whole, as a document of the workspace."""
        owner = self.hive.workspace_id
        named: Object = {"parent_type": "workspace", "parent_id": owner, "filename": filename, "content": text}
        return self.add("research_documents", self.make.id("res", filename), **named)


def where_of(item: Located, of: list[Located]) -> str:
    """Return where a value stands: its line, if the file has several."""
    return "$" if len(of) == 1 else f"line {item.line}"


def digest(value: Any, *, in_ascii: bool = False) -> str:
    """Return what tells a record apart: its content, whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=in_ascii, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def text_in(value: object) -> str | None:
    """Return a text that says something, or None."""
    return value if isinstance(value, str) and value.strip() else None


def texts_in(value: object) -> list[str]:
    """Return the texts in a list."""
    return [item for item in list_of(value) if isinstance(item, str)]


def first_text(value: Object, *names: str) -> str | None:
    """Return the first of these fields that is a text."""
    return next((found for name in names if (found := text_in(value.get(name)))), None)


def first_time(value: Object, *names: str) -> str | None:
    """Return the first of these fields that is a time, as a timestamp of ours."""
    return next((found for name in names if (found := moment(value.get(name)))), None)


def ident(found: Fields, *names: str) -> str | None:
    """Take the first of these fields that is an id, a text or a number."""
    for name in names:
        if isinstance(value := found.keep(name), str | int) and not isinstance(value, bool) and str(value).strip():
            return str(found.raw(name))
    return None


def figure(found: Fields, name: str) -> float | None:
    """Take a number; what is none stays."""
    value = found.keep(name)
    return float(found.raw(name)) if isinstance(value, int | float) and not isinstance(value, bool) else None


def rest(left: Object) -> Object:
    """Return the column `extra` for what found no column of its own."""
    return {NAME: left} if left else {}


def numbers_in(value: Any, prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield every number in an object, by the names that lead to it."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield prefix, float(value)
    elif isinstance(value, dict):
        for name, inner in cast(Object, value).items():
            yield from numbers_in(inner, f"{prefix}.{name}" if prefix else name)
