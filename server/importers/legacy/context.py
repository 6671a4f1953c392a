"""The files beside a plan's state, and knowledge: context of every kind, hand-offs, research notes, prompts."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from server.importers.reading import Content, object_of
from server.importers.values import Fields, Object, Teller, callable_as, derived, moment
from server.importers.values import text as as_text
from server.models.imports import Finding, ImportedRow

TIMES = ("stored_at", "captured_at", "timestamp", "recovered_at", "updated_at", "created_at", "saved_at")
WRAPPING = ("type", "plan_id", "workspace_id", "data", *TIMES)
FRONT = re.compile(r"\A---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
HANDOFF = "handoff_"
PROMPT = ".prompt.md"

Parent = tuple[str, str]


def kind_of(inner: str) -> str:
    """Return the type of context that a JSON file below a plan's folder holds."""
    return inner.removesuffix(".json").removesuffix("/state" if inner.startswith("investigations/") else "")


def item(
    parent: Parent, workspace_id: str, kind: str, content: Content, value: Any, *, findings: list[Finding]
) -> ImportedRow:
    """Return the context item of a JSON file. What only wraps its data (type, ids, time) goes to columns and extra."""
    teller = Teller(content.path, findings)
    if not isinstance(value, dict):
        teller.info("$", "no object; stored under `value`", None, "value")
        value = {"value": value}
    found = Fields(cast(Object, value), "$", teller)
    at = _time(found, content)
    _drop_what_the_place_says(found, parent, workspace_id, kind)
    if isinstance(found.keep("data"), dict) and all(name in WRAPPING for name in found.found):
        data = found.object("data")
        found.left = {name: entry for name, entry in found.left.items() if name != "data"}
    else:
        data = {name: entry for name, entry in found.found.items() if name in found.left or name in TIMES}
        found.left = {}
    agent = found.keep("from_agent")
    by = agent if isinstance(agent, str) else None
    return row(parent, workspace_id, kind, data, path=content.path, at=at, by=by, extra=found.extra())


def _time(found: Fields, content: Content) -> str:
    for name in TIMES:
        if name in found and (at := moment(found.keep(name))):
            if at == found.keep(name):
                found.raw(name)
            else:
                found.teller.info(f"$.{name}", "a time in another format", found.keep(name), at)
            return at
    found.teller.info("$", "no time in the file; that of the file counts", None, content.modified_at)
    return content.modified_at


def _drop_what_the_place_says(found: Fields, parent: Parent, workspace_id: str, kind: str) -> None:
    """Forget the fields that only repeat what the item hangs on; keep and tell of those that say otherwise."""
    for name, known in (("type", kind), ("plan_id", parent[1]), ("workspace_id", workspace_id)):
        told = found.keep(name)
        if told == known:
            found.raw(name)
        elif told is not None and name != "type":
            found.teller.info(f"$.{name}", "another one than the folder's, which counts", told, known)


def row(
    parent: Parent,
    workspace_id: str,
    kind: str,
    data: Object,
    *,
    path: str,
    at: str,
    by: str | None = None,
    extra: Object | None = None,
) -> ImportedRow:
    """Return a context item."""
    item_id = derived("ctx", workspace_id, *parent, kind)
    values: Object = {
        "item_id": item_id,
        "workspace_id": workspace_id,
        "parent_type": parent[0],
        "parent_id": parent[1],
        "type": kind,
        "data": data,
        "tags": [],
        "created_by": by,
        "expires_at": None,
        "extra": extra or {},
        "created_at": at,
        "updated_at": at,
        "version": 1,
    }
    return ImportedRow("context_items", item_id, values, path, "$", parent[1] if parent[0] == "plan" else None)


def with_handoffs(
    rows: Sequence[ImportedRow], handoffs: Sequence[ImportedRow], findings: list[Finding]
) -> list[ImportedRow]:
    """Return a plan's rows, with the data of each hand-off file in the lineage entry that it belongs to."""
    waiting = {_pair(file.values["data"], "timestamp"): file for file in handoffs}
    found: list[ImportedRow] = []
    for entry in rows:
        file = waiting.pop(_pair(entry.values, "created_at"), None) if entry.table == "lineage" else None
        if file is None:
            found.append(entry)
            continue
        data = file.values["data"].get("data")
        extra = entry.values["extra"]
        linked = {**extra, "legacy": {**extra.get("legacy", {}), "handoff_file": file.path}}
        values = {**entry.values, "extra": linked}
        found.append(replace(entry, values=values | ({"data": data} if isinstance(data, dict) else {})))
    what = "no lineage entry of that time; kept as context only"
    findings.extend(Finding("info", file.path, "$", what) for file in waiting.values())
    return found


def _pair(values: Any, name: str) -> tuple[str | None, ...]:
    return as_text(values.get("from_agent")), as_text(values.get("to_agent")), moment(values.get(name))


def research(parent: Parent, workspace_id: str, filename: str, content: Content, text: str) -> ImportedRow:
    """Return a research note. Its front matter stays in the text; only the time is read from it."""
    told = _front(text).get("created_at")
    at = (moment(told) if told else None) or content.modified_at
    document_id = derived("res", workspace_id, *parent, filename)
    values: Object = {
        "document_id": document_id,
        "workspace_id": workspace_id,
        "parent_type": parent[0],
        "parent_id": parent[1],
        "filename": filename,
        "content": text,
        "created_by": None,
        "extra": {},
        "created_at": at,
        "updated_at": at,
        "version": 1,
    }
    return ImportedRow(
        "research_documents", document_id, values, content.path, "$", parent[1] if parent[0] == "plan" else None
    )


def prompt(parent: Parent, workspace_id: str, name: str, content: Content, text: str) -> ImportedRow:
    """Return a prompt file as a context item: its front matter, line by line, and its body."""
    front = _front(text)
    match = FRONT.match(text)
    data = {"front_matter": front, "body": text[match.end() :] if match else text}
    at = moment(front.get("plan_updated_at")) or content.modified_at
    by = front.get("created_by")
    kind = f"prompts/{name.removesuffix(PROMPT)}"
    return row(parent, workspace_id, kind, data, path=content.path, at=at, by=by)


def _front(text: str) -> dict[str, str]:
    """Return the `key: value` lines of a front matter; what is indented belongs to the key above."""
    match = FRONT.match(text)
    found: dict[str, str] = {}
    key = ""
    for line in match.group(1).splitlines() if match else ():
        name, colon, value = line.partition(":")
        if colon and not line[:1].isspace() and not line.startswith("-"):
            key = name.strip()
            found[key] = value.strip().strip("\"'")
        elif key:
            found[key] = f"{found[key]}\n{line}"
    return found


def knowledge(
    workspace_id: str, stem: str, content: Content, value: Any, findings: list[Finding]
) -> ImportedRow | None:
    """Return a piece of knowledge from a JSON file, or None if it has no slug. A text file is its content."""
    teller = Teller(content.path, findings)
    plain = isinstance(value, str)
    source: Object = (
        {"slug": stem, "title": stem, "content": value, "category": "reference"} if plain else object_of(value)
    )
    told = source.get("slug")
    if not isinstance(told, str) or not told.strip():
        return None
    found = Fields(source, "$", teller)
    created_at = found.moment("created_at", content.modified_at)
    slug = callable_as(found.word("slug", stem))
    if slug != told:
        found.left["slug"] = told
        teller.warn("$.slug", "no slug that a tool can be asked for", told, slug)
    knowledge_id = derived("know", workspace_id, slug)
    values = {
        "knowledge_id": knowledge_id,
        "workspace_id": workspace_id,
        "slug": slug,
        "title": found.word("title", slug),
        "content": found.text("content", ""),
        "category": found.word("category", "reference"),
        "tags": found.strings("tags"),
        "supersedes": None,
        "superseded_by": None,
        "created_by_agent": found.text("created_by_agent"),
        "created_by_plan": found.text("created_by_plan"),
        "created_at": created_at,
        "updated_at": found.maybe_moment("updated_at") or created_at,
        "version": 1,
    }
    return ImportedRow("knowledge", knowledge_id, values | {"extra": found.extra()}, content.path)
