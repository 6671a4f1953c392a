"""Keeps `search_documents` in step with what it is about: in the transaction of every write, and by a rebuild.

Triggers note in `search_pending` which rows are new or changed, whoever changed them. `fill` reads that before a commit
of ours, in the same transaction, and writes what there is to find. So no writer can forget it.
"""

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import blake2b
from typing import Any, cast

import anyio

from server.db.storage.connection import Database, Reader
from server.text import text_analysis

BATCH = 200  # rows of a backlog in one transaction
PAUSE_SECONDS = 0.005  # between two: more than those who wait for the lock pause between looks at it
LEAD = 2_000  # characters of the words of a body that a hit is ranked by
EXACT_LENGTH = 500
BRIEF = "b"  # a facet of its own

# The plan of what hangs on something else.
PLAN_OF_PARENT = """CASE t.parent_type
    WHEN 'plan' THEN t.parent_id
    WHEN 'phase' THEN coalesce((SELECT plan_id FROM phases WHERE phase_id = t.parent_id),
        (SELECT plan_id FROM phases_archive WHERE phase_id = t.parent_id))
    WHEN 'step' THEN coalesce((SELECT plan_id FROM steps WHERE step_id = t.parent_id),
        (SELECT plan_id FROM steps_archive WHERE step_id = t.parent_id))
    WHEN 'session' THEN coalesce((SELECT plan_id FROM sessions WHERE session_id = t.parent_id),
        (SELECT plan_id FROM sessions_archive WHERE session_id = t.parent_id))
END"""
PARAMS = """(
    SELECT group_concat(name || ' ' || coalesce(description, ''), '; ') FROM tool_action_params
    WHERE tool = t.tool AND action = t.action
)"""


@dataclass(frozen=True)
class SearchedTable:
    """How the rows of a table become documents: SQL for each column, over the row `t` and the plan `p` it belongs to.

    What people are shown of it are its `texts`, and what is in its `data`, which is JSON; `also` is only searched.
    """

    table: str
    key: str
    title: str
    texts: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    archives: bool = False
    of_plan: bool = False
    workspace_id: str = "t.workspace_id"
    plan_id: str = "NULL"
    parent_type: str = "NULL"
    parent_id: str = "NULL"
    subtype: str = "NULL"
    slug: str = "NULL"
    tags: str = "NULL"
    author: str = "NULL"
    expires_at: str = "NULL"
    updated_at: str = "t.updated_at"
    where: str = "1"
    imported: str = ""
    shipped: str = "0"
    status: str = "NULL"
    label: str = ""  # what people are shown where there is no title

    @cached_property
    def sql(self) -> str:
        """Return the query for the rows whose keys are in `:ids`, archived ones included."""
        live = self._select("", 0)
        return f"{live} UNION ALL {self._select('_archive', 1)}" if self.archives else live

    @property
    def _texts(self) -> tuple[str, ...]:
        return self.texts + self.data + self.also

    @cached_property
    def names(self) -> list[str]:
        """Return what the texts of a row are called in the result of the query."""
        kinds = {"text": self.texts, "data": self.data, "also": self.also}
        return [f"{kind}{number}" for kind, columns in kinds.items() for number in range(len(columns))]

    def _select(self, suffix: str, archived: int) -> str:
        names = ("title", "workspace_id", "plan_id", "parent_type", "parent_id", "subtype", "slug", "tags", "author",
                 "expires_at", "updated_at", "shipped", "status")  # fmt: skip
        columns = ", ".join(f"{getattr(self, name)} AS {name}" for name in names)
        columns += f", {self.label or self.title} AS label"
        texts = ", ".join(f"{text} AS {name}" for name, text in zip(self.names, self._texts, strict=True))
        in_import = f"EXISTS (SELECT 1 FROM import_rows WHERE table_name = '{self.table}' AND row_key = {self.key})"
        return f"""
            SELECT {self.key} AS entity_id, {columns}, {texts}, {archived} AS archived,
                {self.imported or in_import} AS imported
            FROM {self.table}{suffix} t {f"JOIN plans{suffix} p ON p.plan_id = t.plan_id" if self.of_plan else ""}
            WHERE {self.key} IN (SELECT value FROM json_each(:ids)) AND {self.where}
        """


OF_PLAN: dict[str, Any] = {"archives": True, "of_plan": True, "workspace_id": "p.workspace_id", "plan_id": "t.plan_id"}
ON_PARENT: dict[str, Any] = {
    "archives": True,
    "plan_id": PLAN_OF_PARENT,
    "parent_type": "t.parent_type",
    "parent_id": "t.parent_id",
    "author": "t.created_by",
}
SHIPPED: dict[str, Any] = {"workspace_id": "NULL", "imported": "0", "shipped": "t.origin = 'shipped'"}

SOURCES = {
    "program": SearchedTable(
        "programs",
        "t.program_id",
        "t.title",
        ("t.description",),
        ("t.goals", "t.success_criteria"),
        status="t.status",
    ),
    "plan": SearchedTable(
        "plans",
        "t.plan_id",
        "t.title",
        ("t.description",),
        ("t.goals", "t.success_criteria"),
        archives=True,
        plan_id="t.plan_id",
        subtype="t.category",
        status="t.status",
        imported="t.source IS NOT NULL OR "
        "EXISTS (SELECT 1 FROM import_rows WHERE table_name = 'plans' AND row_key = t.plan_id)",
    ),
    "phase": SearchedTable("phases", "t.phase_id", "t.name", ("t.description",), ("t.success_criteria",), **OF_PLAN),
    "step": SearchedTable(
        "steps",
        "t.step_id",
        "t.task",
        ("t.notes",),
        also=("t.section",),
        subtype="t.type",
        status="t.status",
        **OF_PLAN,
    ),
    "note": SearchedTable("plan_notes", "t.note_id", "''", ("t.note",), author="t.added_by", label="t.note", **OF_PLAN),
    "session": SearchedTable(
        "sessions",
        "t.session_id",
        "''",
        ("t.summary",),
        ("t.artifacts",),
        archives=True,
        plan_id="t.plan_id",
        author="t.agent",
        where="t.summary IS NOT NULL",
        label="'session of ' || t.agent",
        status="t.status",
    ),
    "handoff": SearchedTable(
        "lineage",
        "t.lineage_id",
        "''",
        ("t.reason",),
        ("t.data",),
        ("t.to_agent",),
        archives=True,
        plan_id="t.plan_id",
        author="t.from_agent",
        updated_at="t.created_at",
        label="t.from_agent || ' to ' || t.to_agent",
    ),
    "message": SearchedTable(
        "messages",
        "t.message_id",
        "''",
        ("t.content",),
        also=("t.to_agent",),
        plan_id="t.plan_id",
        author="t.from_agent",
        label="coalesce(t.from_agent, 'someone') || ' to ' || t.to_agent",
    ),
    "context": SearchedTable(
        "context_items",
        "t.item_id",
        "t.type",
        data=("t.data",),
        subtype="t.type",
        tags="t.tags",
        expires_at="t.expires_at",
        **ON_PARENT,
    ),
    "research": SearchedTable("research_documents", "t.document_id", "t.filename", ("t.content",), **ON_PARENT),
    "knowledge": SearchedTable(
        "knowledge",
        "t.knowledge_id",
        "t.title",
        ("t.content",),
        slug="t.slug",
        subtype="t.category",
        plan_id="t.created_by_plan",
        tags="t.tags",
        author="t.created_by_agent",
        where="t.superseded_by IS NULL",
    ),
    "memory": SearchedTable(
        "memory_entries",
        "t.entry_id",
        "t.key",
        data=("t.value",),
        also=("t.namespace",),
        subtype="t.namespace",
        plan_id="CASE t.scope WHEN 'plan' THEN t.scope_id END",
        parent_type="t.scope",
        parent_id="t.scope_id",
        author="t.created_by",
        expires_at="t.expires_at",
    ),
    "agent": SearchedTable("agent_definitions", "t.name", "t.name", ("t.description", "t.body"), **SHIPPED),
    "instruction": SearchedTable("instruction_files", "t.name", "t.name", ("t.description", "t.body"), **SHIPPED),
    "skill": SearchedTable(
        "skill_definitions",
        "t.name",
        "t.name",
        ("t.description", "t.body"),
        also=("t.languages", "t.frameworks"),
        tags="t.tags",
        **SHIPPED,
    ),
    "action": SearchedTable(
        "tool_actions",
        "t.tool || ' ' || t.action",
        "t.tool || ' ' || t.action",
        ("t.help", PARAMS),
        workspace_id="NULL",
        slug="t.action",
        updated_at="''",
        imported="0",
        shipped="1",
    ),
}
META = (
    "workspace_id", "plan_id", "parent_type", "parent_id", "subtype", "tags", "author", "trust", "archived",
    "expires_at", "updated_at",
)  # fmt: skip
WORDS = ("title", "body", "rest")
TEXT = ("facets", *WORDS)
COLUMNS = ("kind", "entity_id", *META, *TEXT)
INSERT = f"INSERT INTO search_documents ({', '.join(COLUMNS)}) VALUES ({', '.join(':' + name for name in COLUMNS)})"
UPDATE = f"UPDATE search_documents SET {', '.join(f'{name} = :{name}' for name in META)} WHERE doc = :doc"
PLACE = "UPDATE search_documents SET facets = :facets WHERE doc = :doc"
CHANGED = f"SELECT doc, {', '.join(TEXT)} FROM search_documents WHERE entity_id = :entity_id AND kind = :kind"
PENDING = "SELECT kind, json_group_array(entity_id) AS ids FROM search_pending GROUP BY kind"


def fill(connection: sqlite3.Connection) -> None:
    """Write the documents of all rows that are pending. Runs in the transaction that made them so."""
    if not connection.execute("SELECT 1 FROM search_pending LIMIT 1").fetchone():
        return
    for row in connection.execute(PENDING).fetchall():
        _fill_kind(connection, row["kind"], json.loads(row["ids"]))
    connection.execute("DELETE FROM search_pending")


def _fill_kind(connection: sqlite3.Connection, kind: str, ids: Sequence[str]) -> None:
    found, seen = set[str](), set[str]()
    for row in connection.execute(SOURCES[kind].sql, {"ids": json.dumps(ids)}):
        document, spelled = document_of(kind, row)
        _put(connection, document)
        found.add(row["entity_id"])
        seen |= spelled
    gone = [{"entity_id": one, "kind": kind} for one in ids if one not in found]
    connection.executemany("DELETE FROM search_documents WHERE entity_id = :entity_id AND kind = :kind", gone)
    connection.executemany(
        "INSERT INTO search_words (word) VALUES (?) ON CONFLICT DO NOTHING", [(word,) for word in sorted(seen)]
    )


def _put(connection: sqlite3.Connection, document: Mapping[str, Any]) -> None:
    """Write one document. One whose text changed gets a new number: the newest are looked at first."""
    old = connection.execute(CHANGED, document).fetchone()
    if old and all(old[name] == document[name] for name in WORDS):
        connection.execute(UPDATE, {**document, "doc": old["doc"]})
        if old["facets"] != document["facets"]:
            connection.execute(PLACE, {**document, "doc": old["doc"]})
        return
    if old:
        connection.execute("DELETE FROM search_documents WHERE doc = :doc", {"doc": old["doc"]})
    connection.execute(INSERT, document)


def document_of(kind: str, row: sqlite3.Row) -> tuple[dict[str, Any], set[str]]:
    """Return the columns of the document of a row, and the words in it."""
    named = f"{row['title']} {row['slug']}" if row["slug"] else row["title"]
    title, seen = text_analysis.indexed(named)
    body, more = text_analysis.indexed("\n".join((text_of(kind, row), also_of(kind, row))))
    lead = body if len(body) <= LEAD else body[: body.rfind(" ", 0, LEAD) + 1 or LEAD].rstrip()
    document = {name: row[name] for name in META if name != "trust"}
    document |= {
        "kind": kind,
        "entity_id": row["entity_id"],
        "trust": "import" if row["imported"] else "human" if row["shipped"] else "agent",
        "facets": " ".join([_facets(kind, row), *_topics(title, lead)]),
        "title": title,
        "body": lead,
        "rest": body[len(lead) :].strip() or None,
    }
    return document, seen | more


def _facets(kind: str, row: sqlite3.Row) -> str:
    """Return where a row belongs, and its names, as words that an index finds it by."""
    pairs = [("w", row["workspace_id"] or ""), ("k", kind), ("x", row["entity_id"])]
    pairs += [("p", row["plan_id"])] if row["plan_id"] else []
    pairs += [("t", row["subtype"])] if row["subtype"] else []
    pairs += [("r", f"{row['parent_type']} {row['parent_id']}")] if row["parent_id"] else []
    pairs += [("g", tag) for tag in json.loads(row["tags"] or "[]")]
    names = [text_analysis.exact(name) for name in (row["title"], row["slug"]) if name and len(name) <= EXACT_LENGTH]
    return " ".join(dict.fromkeys(facet(letter, value) for letter, value in [*pairs, *(("x", n) for n in names if n)]))


def _topics(title: str, body: str) -> Iterator[str]:
    if text_analysis.is_brief(body):
        yield BRIEF
    yield from map(about, text_analysis.prominent(title, body))


@lru_cache(maxsize=4096)
def facet(letter: str, value: str) -> str:
    """Return the word that stands for a value of a facet."""
    return letter + blake2b(str(value).encode("utf-8", "replace"), digest_size=6).hexdigest()


def about(word: str) -> str:
    """Return the word that stands for an indexed one in the facets of what is about it; no other facet begins so."""
    return f"a{word}"


def text_of(kind: str, row: sqlite3.Row) -> str:
    """Return what people are shown of a row: its texts as they were stored, and the names and values in its JSON."""
    texts = (
        "; ".join(_flat(row[name])) if name.startswith("data") else row[name]
        for name in SOURCES[kind].names
        if row[name] and not name.startswith("also")
    )
    return "\n".join(text for text in texts if text)


def also_of(kind: str, row: sqlite3.Row) -> str:
    """Return what a row is found by as well, without being shown."""
    return "\n".join(row[name] for name in SOURCES[kind].names if row[name] and name.startswith("also"))


def _flat(text: str) -> Iterator[str]:
    try:
        layer: list[object] = [json.loads(text)]
    except (ValueError, RecursionError):
        yield text
        return
    while layer:
        node = layer.pop()
        if isinstance(node, dict):
            for name, value in reversed(cast(dict[str, object], node).items()):
                layer += [value, f"{name}:"] if isinstance(value, dict | list) else [f"{name}: {_told(value)}"]
        elif isinstance(node, list):
            layer += reversed(cast(list[object], node))
        elif node is not None:
            yield _told(node)


def _told(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


async def work_off(db: Database) -> tuple[int, float]:
    """Write the documents of the backlog, in transactions that let others write between them.

    Return how many rows there were, and for how many seconds the longest of the transactions held the lock.
    """
    done, longest = 0, 0.0
    while await db.value("SELECT 1 FROM search_backlog LIMIT 1"):
        async with db.transaction() as tx:
            begun = time.perf_counter()
            moved = await tx.all("SELECT place FROM search_backlog ORDER BY place LIMIT :batch", {"batch": BATCH})
            last = {"last": moved[-1]["place"] if moved else 0}
            await tx.run(
                """
                INSERT INTO search_pending (entity_id, kind)
                SELECT entity_id, kind FROM search_backlog WHERE place <= :last ON CONFLICT DO NOTHING
                """,
                last,
            )
            await tx.run("DELETE FROM search_backlog WHERE place <= :last", last)
            done += len(moved)
        longest = max(longest, time.perf_counter() - begun)
        await anyio.sleep(PAUSE_SECONDS)
    return done, longest


async def is_there(db: Reader) -> bool:
    """Return whether the schema has come as far as the search."""
    return bool(await db.value("SELECT 1 FROM sqlite_master WHERE name = 'search_pending'"))
