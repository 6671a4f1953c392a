"""Rows as every layout makes them: a value for each column, so that a field that leaves its file leaves the row too."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from server.db.dependencies.dependencies import Node
from server.db.storage.table_shapes import StoredColumn
from server.importers.edges import edge
from server.importers.reading import is_object, object_of
from server.importers.values import Object, Teller, derived
from server.models.base import encode
from server.models.imports import Finding, ImportedRow

LEFT_TO_THE_DATABASE = ("open_steps", "importing", "event_id", "log_id", "claimed_by", "lease_expires_at")
# Columns whose JSON may be a mere text or number.
JSON_TEXT = {"memory_entries": "value", "cache_entries": "payload", "tool_calls": "result", "steps": "result"}
OF_ITS_OWN = ("programs", "plans", "workspaces")  # whose rows belong to no plan but themselves


@dataclass(frozen=True)
class RowMaker:
    """Makes the rows of one file of a system. `at` stands for every time that has to be there and is not told."""

    columns: Mapping[str, Mapping[str, StoredColumn]]
    system: str
    workspace_id: str
    path: str
    at: str
    renamed: str = ""

    def id(self, kind: str, *parts: object) -> str:
        """Return the id that these parts of this system always give in this workspace."""
        return derived(kind, self.system, self.workspace_id, *parts)

    def teller(self, findings: list[Finding]) -> Teller:
        return Teller(self.path, findings)

    def row(
        self, table: str, key: str, where: str = "$", /, *, plan_id: str | None = None, **named: Any
    ) -> ImportedRow:
        """Return a row: the columns that are `named`, and for the others what the schema has for them.

        `key` is the value of the primary key; in a log, which has none, it is what tells equal entries apart. `plan_id`
        is the plan that the row belongs to (that of a plan is its own). `external_id` is the id in the other system.
        `extra` is an object; `{system: Fields.left}` is usual.
        """
        known = self.columns[table]
        first = next(iter(known))
        given: Object = dict(named) if first in LEFT_TO_THE_DATABASE else {first: key, **named}
        if plan_id is not None and table not in OF_ITS_OWN and "plan_id" in known:
            given.setdefault("plan_id", plan_id)
        if given.get("external_id") is not None:
            given.setdefault("source_system", self.system)
        if unknown := given.keys() - known.keys():
            raise KeyError(f"{table} has no {sorted(unknown)}")
        at = str(given.get("created_at") or self.at)
        values = {
            name: given[name] if name in given else self._standing(column, at)
            for name, column in known.items()
            if name in given or name not in LEFT_TO_THE_DATABASE
        }
        name = JSON_TEXT.get(table)
        if name and values[name] is not None:
            values[name] = encode(values[name])
        return ImportedRow(table, key, values, self.path, where, key if table == "plans" else plan_id)

    def edge(
        self, source: Node, target: Node, where: str, *, closed: bool, plan_id: str | None, **more: Any
    ) -> ImportedRow:
        """Return a dependency: `source` waits for `target`, which is `closed` or not; `plan_id`: the source's plan."""
        key, values = edge(source, target, closed=closed, at=more.pop("at", self.at), **more)
        return ImportedRow("dependencies", key, values, self.path, where, plan_id)

    def item(self, parent: Node, kind: str, data: object, where: str = "$", **named: Any) -> ImportedRow:
        """Return context: a block that is kept as it is, of a kind that its parent has once."""
        of: dict[str, Any] = {"parent_type": parent[0], "parent_id": parent[1], "type": kind, **named}
        told = object_of(data) if is_object(data) else {"value": data}
        plan_id = parent[1] if parent[0] == "plan" else None
        return self.row("context_items", self.id("ctx", *parent, kind), where, plan_id=plan_id, data=told, **of)

    def fact(self, namespace: str, key: str, value: object, where: str = "$", **named: Any) -> ImportedRow:
        """Return a fact of the workspace."""
        of: dict[str, Any] = {"scope": "workspace", "scope_id": self.workspace_id, "namespace": namespace, "key": key}
        key = self.id("fact", namespace, key)
        return self.row("memory_entries", key, where, value=value, workspace_id=self.workspace_id, **of, **named)

    def workspace(self, path: str | None, name: str, **named: Any) -> ImportedRow:
        """Return the row of a workspace that is not there yet (`Known.there`)."""
        return self.row("workspaces", self.workspace_id, path=path, name=f"{name}{self.renamed}", **named)

    def _standing(self, column: StoredColumn, at: str) -> Any:
        if column.name == "workspace_id" and column.is_needed:
            return self.workspace_id
        is_time = column.name in ("timestamp", "since") or column.name.endswith("_at")
        if column.is_needed and column.default is None and is_time:
            return at
        return column.default
