"""Tables of ConPort on their way into rows, each by a function of its own; one that is unknown is kept whole."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from server.db.dependencies.dependencies import Node
from server.db.storage.foreign import ForeignDatabase
from server.importers.edges import acyclic
from server.importers.reading import UnreadableFile, parse
from server.importers.rows import RowMaker
from server.importers.slugs import among, plain
from server.importers.taking import Sink, Taker
from server.importers.values import Fields, Object, moment, plain_word, text
from server.importers.vocabulary import step_status
from server.models.imports import Finding
from server.models.steps import CLOSED

TITLE, PHASE = "ConPort", "Progress"
ROWS = 500  # in one batch
SEARCH = re.compile(r".*_fts(_data|_idx|_content|_docsize|_config)?$")  # what the search is made of
JSON = ("tags", "content", "value")  # columns that hold JSON as text
CONTEXTS = ("product_context", "active_context")
WAITS = {"depends_on": False, "is_blocked_by": False, "blocked_by": False, "blocks": True}  # whether it is the target


@dataclass(frozen=True)
class ConPortTables:
    """What the functions of the tables work with."""

    taker: Taker
    make: RowMaker
    sink: Sink
    db: ForeignDatabase

    def rows(self, table: str, of: Callable[[Object, str], Object] | None = None) -> Iterator[Fields]:
        """Yield the rows of a table without secrets, with the values of columns that hold JSON."""
        for number, row in enumerate(self.db.rows(table)):
            where = f"{table}[{row.get('id', number)}]"
            value = {name: self._value(item, f"{where}.{name}") for name, item in row.items()}
            value = of(value, where) if of else self.clean(value, where)
            yield Fields(value, where, self.make.teller(self.sink.batch.findings))

    def clean(self, value: Any, where: str) -> Any:
        return self.taker.clean(value, self.sink.batch, self.make.path, where)

    def tell(self, severity: Any, where: str, what: str, value: Any = None) -> None:
        self.sink.batch.findings.append(Finding(severity, self.make.path, where, what, value))

    def _value(self, value: Any, where: str) -> Any:
        if isinstance(value, bytes):
            return value.hex()
        if isinstance(value, str) and where.rpartition(".")[2] in JSON and value[:1] in '[{"':
            try:
                return parse(value, [])
            except UnreadableFile as error:
                self.tell("warning", where, f"kept as text: {error}")
        return value


def add(taker: Taker, make: RowMaker, sink: Sink, db: ForeignDatabase) -> Iterator[None]:
    """Add what the database holds, and yield when a batch is full."""
    found = ConPortTables(taker, make, sink, db)
    there = db.tables()
    for table in there:
        if SEARCH.fullmatch(table):
            continue
        yield from ADD.get(table, _unknown)(found, table)
        yield
    if "context_links" in there:
        _links(found)


def _decisions(found: ConPortTables, table: str) -> Iterator[None]:
    for number, row in enumerate(found.rows(table), 1):
        foreign, summary, why = row.raw("id"), row.text("summary") or "", row.text("rationale") or ""
        if not (summary or why).strip():
            found.tell("error", row.at, "no decision: it has neither a summary nor a rationale", row.left)
            continue
        context = {name: row.raw(name) for name in ("implementation_details", "tags") if row.keep(name) is not None}
        at = row.moment("timestamp", found.make.at)
        columns: Object = {
            "decision": summary or why.strip().partition("\n")[0],
            "rationale": why,
            "context": context,
            "made_at": at,
            "created_at": at,
            "external_id": text(foreign),
            "extra": row.extra(found.make.system),
        }
        found.sink.add(found.make.row("decisions", found.make.id("dec", foreign), row.at, **columns))
        if number % ROWS == 0:
            yield


def _progress(found: ConPortTables, table: str) -> Iterator[None]:
    """Add the plan of all progress, and each entry below its parent."""
    make = found.make
    above = {row["id"]: row.get("parent_id") for row in found.db.rows(table) if "id" in row}
    steps = [_step(found, row, above) for row in found.rows(table)]
    if not steps:
        return
    is_open = any(row.values["status"] not in CLOSED for row in steps)
    times = [row.values["created_at"] for row in steps]
    plan_id, values = _plan(make), {"created_at": min(times), "updated_at": max(times)}
    status = {"status": "active" if is_open else "completed", "completed_at": None if is_open else max(times)}
    found.sink.add(
        make.row("plans", plan_id, table, title=TITLE, **values, **status),
        make.row("phases", make.id("phase", TITLE), table, plan_id=plan_id, name=PHASE, order_index=0),
    )
    for first in range(0, len(steps), ROWS):
        found.sink.add(*steps[first : first + ROWS])
        yield


def _plan(make: RowMaker) -> str:
    return make.id("plan", TITLE)


def _step(found: ConPortTables, row: Fields, above: dict[Any, Any]) -> Any:
    make, foreign, parent = found.make, row.raw("id"), row.keep("parent_id")
    if parent is None or _is_above(above, foreign):
        row.raw("parent_id")
    else:
        row.teller.warn(f"{row.at}.parent_id", "no entry that can stand above it; kept in extra", parent)
        parent = None
    status = step_status(row)
    at = row.moment("timestamp", make.at)
    task = row.word("description", "(without a description)")
    columns: Object = {"phase_id": make.id("phase", TITLE), "order_index": foreign, "task": task, "status": status}
    columns |= {"parent_step_id": make.id("step", parent) if parent is not None else None}
    columns |= {"completed_at": at if status == "done" else None, "created_at": at, "updated_at": at}
    columns |= {"external_id": text(foreign), "extra": row.extra(make.system)}
    return make.row("steps", make.id("step", foreign), row.at, plan_id=_plan(make), **columns)


def _is_above(above: dict[Any, Any], foreign: Any) -> bool:
    """Return whether the parent of an entry is there, and not below it."""
    seen, one = {foreign}, above[foreign]
    if one not in above:
        return False
    while one is not None and one in above:
        if one in seen:
            return False
        seen.add(one)
        one = above[one]
    return True


def _patterns(found: ConPortTables, table: str) -> Iterator[None]:
    read_alike = Counter(plain(row.get("name")) for row in found.db.rows(table))
    for row in found.rows(table):
        foreign, name = row.raw("id"), row.word("name", "unnamed")
        at = row.moment("timestamp", found.make.at)
        columns: Object = {
            "slug": among(read_alike, name, foreign=(foreign,), otherwise="pattern"),
            "title": " ".join(name.split()) or "unnamed",
            "content": row.text("description") or name,
            "category": "convention",
            "tags": row.strings("tags"),
            "created_at": at,
            "updated_at": at,
            "extra": {found.make.system: {"id": foreign, "name": name, **row.left}},
        }
        found.sink.add(found.make.row("knowledge", found.make.id("know", foreign), row.at, **columns))
    yield


def _custom(found: ConPortTables, table: str) -> Iterator[None]:
    """Add facts. Whether a value is a secret is told by its key."""

    def named(row: Object, where: str) -> Object:
        told = found.clean({text(row.get("key")): row.get("value")}, where)
        return row | {"value": next(iter(told.values()))}

    for number, row in enumerate(found.rows(table, named), 1):
        category, key = row.keep("category"), row.keep("key")
        if not isinstance(category, str) or not isinstance(key, str):
            found.tell("error", row.at, "no datum: it has no category, or no key", row.left)
            continue
        at = row.moment("timestamp", found.make.at)
        values: Object = {"created_at": at, "updated_at": at}
        found.sink.add(found.make.fact(category, key, row.keep("value"), row.at, **values))
        if number % ROWS == 0:
            yield


def _context(found: ConPortTables, table: str) -> Iterator[None]:
    """Keep the product's or the active context; of its history each version by itself."""
    for row in found.rows(table):
        is_history = table.endswith("_history")
        kind = table if row.keep("id") == 1 and not is_history else f"{table}/{row.keep('id')}"
        at = moment(row.keep("timestamp")) or found.make.at
        data = row.left if is_history else row.keep("content")
        owner = ("workspace", found.make.workspace_id)
        found.sink.add(found.make.item(owner, kind, data, row.at, created_at=at, updated_at=at))
    yield


def _unknown(found: ConPortTables, table: str) -> Iterator[None]:
    rows = [row.left for row in found.rows(table)]
    if rows:
        severity = "info" if table in ("alembic_version", "context_links") else "warning"
        found.tell(severity, table, "kept whole as context", len(rows))
        owner = ("workspace", found.make.workspace_id)
        found.sink.add(found.make.item(owner, f"conport: {table}", {"table": table, "rows": rows}, table))
    yield


def _links(found: ConPortTables) -> None:
    """Add what waits for what; every link is in the context of the workspace, too."""
    done = {text(row.get("id")): plain_word(row.get("status") or "") for row in found.db.rows("progress_entries")}
    pairs: dict[tuple[Node, Node], tuple[str, str]] = {}
    for row in found.rows("context_links"):
        turned = WAITS.get(plain_word(row.keep("relationship_type") or ""))
        ends = [text(row.keep(f"{end}_item_id")) for end in ("source", "target")]
        kinds = {row.keep(f"{end}_item_type") for end in ("source", "target")}
        if turned is None or kinds != {"progress_entry"} or not all(end in done for end in ends):
            continue
        first, last = reversed(ends) if turned else ends
        if first != last:
            one, other = (("step", found.make.id("step", int(end))) for end in (first, last))
            pairs.setdefault((one, other), (row.at, last))
    for (one, other), may_stay in acyclic(pairs):
        where, last = pairs[one, other]
        if may_stay:
            closed = done[last] in ("done", "completed")
            found.sink.add(found.make.edge(one, other, where, closed=closed, plan_id=_plan(found.make)))
        else:
            found.tell("warning", where, "it closes a circle; kept as context", last)


ADD: dict[str, Callable[[ConPortTables, str], Iterator[None]]] = {
    "decisions": _decisions,
    "progress_entries": _progress,
    "system_patterns": _patterns,
    "custom_data": _custom,
    **{name + end: _context for name in CONTEXTS for end in ("", "_history")},
}
