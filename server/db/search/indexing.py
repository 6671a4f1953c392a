"""Keeps `search_documents` in step with what it is about: in the transaction of every write, and by a rebuild.

Triggers note in `search_pending` which rows are new or changed, whoever changed them. `fill` reads that before a commit
of ours, in the same transaction, and writes what there is to find. So no writer can forget it.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any, cast

import anyio

from server.db.search.searched_tables import SOURCES
from server.db.storage.connection import Database, Reader
from server.db.storage.driver import RawConnection, Record
from server.text import text_analysis

BATCH = 200  # rows of a backlog in one transaction
PAUSE_SECONDS = 0.005  # between two: more than those who wait for the lock pause between looks at it
LONG = 20_000  # characters of a row: some milliseconds
LEAD = 2_000  # characters of the words of a body that a hit is ranked by
EXACT_LENGTH = 500
BRIEF = "b"  # a facet of its own

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


def fill(connection: RawConnection) -> None:
    """Write the documents of all rows that are pending. Runs in the transaction that made them so."""
    if not connection.execute("SELECT 1 FROM search_pending LIMIT 1").fetchone():
        return
    for row in connection.execute(PENDING).fetchall():
        _fill_kind(connection, row["kind"], json.loads(row["ids"]))
    connection.execute("DELETE FROM search_pending")


def is_long(connection: RawConnection) -> bool:
    """Return whether a pending row has so much text that others should not wait while it is indexed."""
    for pending in connection.execute(PENDING).fetchall():
        for row in connection.execute(SOURCES[pending["kind"]].sql, {"ids": pending["ids"]}):
            if sum(len(value) for value in row if isinstance(value, str)) > LONG:
                return True
    return False


def _fill_kind(connection: RawConnection, kind: str, ids: Sequence[str]) -> None:
    found, seen = set[str](), set[str]()
    for row in connection.execute(SOURCES[kind].sql, {"ids": json.dumps(ids)}):
        document, spelled = document_of(kind, row)
        _put(connection, document)
        found.add(row["entity_id"])
        seen |= spelled
    gone = [{"entity_id": one, "kind": kind} for one in ids if one not in found]
    if gone:
        connection.executemany("DELETE FROM search_documents WHERE entity_id = :entity_id AND kind = :kind", gone)
    connection.executemany(
        "INSERT INTO search_words (word) VALUES (?) ON CONFLICT DO NOTHING", [(word,) for word in sorted(seen)]
    )


def _put(connection: RawConnection, document: Mapping[str, Any]) -> None:
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


def document_of(kind: str, row: Record) -> tuple[dict[str, Any], set[str]]:
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


def _facets(kind: str, row: Record) -> str:
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


def text_of(kind: str, row: Record) -> str:
    """Return what people are shown of a row: its texts as they were stored, and the names and values in its JSON."""
    texts = (
        "; ".join(_flat(row[name])) if name.startswith("data") else row[name]
        for name in SOURCES[kind].names
        if row[name] and not name.startswith("also")
    )
    return "\n".join(text for text in texts if text)


def also_of(kind: str, row: Record) -> str:
    """Return what a row is found by as well, without being shown."""
    texts = (row[name] for name in SOURCES[kind].names if row[name] and name.startswith("also"))
    plain = ("; ".join(_flat(text)) if text.startswith("[") else text for text in texts)
    return "\n".join(text for text in plain if text)


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
