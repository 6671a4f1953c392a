"""The form of our own JSON documents: what goes into one, and how it is told that nothing of it was lost."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from server.models.base import encode

FORMAT = "project-memory"
VERSION = 1
MANIFEST = "project-memory.json"
KINDS = ("plan", "program", "workspace", "global", "logs", "ledger")

# The columns that hold JSON, in whichever table. A list or an object of theirs stands in a document as what it is, so
# that it can be read and compared; any other value, and text that another encoder wrote, as the text it is stored as.
JSON_COLUMNS = frozenset(
    {
        "acceptance_criteria",
        "alternatives",
        "applies_to",
        "args",
        "arguments",
        "artifacts",
        "base",
        "blockers",
        "breakdown",
        "capabilities",
        "categorization",
        "completed_phases",
        "configuration",
        "context",
        "data",
        "deployment_context",
        "details",
        "extra",
        "findings",
        "frameworks",
        "goals",
        "languages",
        "meta",
        "metadata",
        "metrics",
        "paused_at_snapshot",
        "payload",
        "profile",
        "report",
        "required_agents",
        "required_gates",
        "result",
        "standing",
        "state",
        "success_criteria",
        "tags",
        "value",
        "versions",
    }
)
BYTES_COLUMNS = frozenset({"raw"})  # as base64
DEEPEST = 100  # what is nested deeper stays text, since readers of JSON give up somewhere
TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')

Table = Sequence[Mapping[str, Any]]
Document = dict[str, Any]


def wrap(kind: str, tables: Mapping[str, Table], *, schema_version: int, **about: Any) -> Document:
    """Return a document of whole rows. `about` says what it is of, for who reads it and for who sorts it."""
    found: Document = {"format": FORMAT, "format_version": VERSION, "kind": kind, "schema_version": schema_version}
    rows = {table: [_packed(row) for row in rows] for table, rows in tables.items()}
    found |= {**about, "tables": rows}
    return {**found, "sha256": digest(found)}


def text_of(document: Mapping[str, Any]) -> str:
    """Return the text of a document's file: one value a line, which is what version control compares."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def digest(document: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a document's content, however its file is laid out."""
    content = {key: value for key, value in document.items() if key != "sha256"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def unpacked(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as it is stored."""
    return {column: _stored(column, value) for column, value in row.items()}


def _stored(column: str, value: Any) -> Any:
    if column in BYTES_COLUMNS and isinstance(value, str):
        return base64.b64decode(value, validate=True)
    is_json = isinstance(value, list | dict)
    return encode(value) if is_json else value  # pyright: ignore[reportUnknownArgumentType] - whatever it holds


def _packed(row: Mapping[str, Any]) -> dict[str, Any]:
    return {column: _shown(column, value) for column, value in row.items()}


def _shown(column: str, value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if column in JSON_COLUMNS and isinstance(value, str) and value[:1] in ("[", "{") and _depth(value) <= DEEPEST:
        return _read(value)
    return value


def _read(text: str) -> Any:
    """Return what JSON text says, or the text itself where it would not come back to the letter."""
    found = json.loads(text)
    try:
        return found if encode(found) == text else text
    except ValueError:  # a number beyond the largest
        return text


def _depth(text: str) -> int:
    """Return how deep JSON text is nested, or DEEPEST if it cannot be deeper."""
    if text.count("[") + text.count("{") <= DEEPEST:
        return DEEPEST
    deepest = depth = 0
    for found in TOKENS.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found[0], 0)
        deepest = max(deepest, depth)
    return deepest
