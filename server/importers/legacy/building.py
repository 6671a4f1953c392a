"""What all parts of a plan share on their way into rows."""

from typing import Any

from server.db.dependencies.dependencies import Node
from server.importers.legacy.survey import Header, Survey
from server.importers.legacy.values import Fields, Object, derived
from server.models.imports import ImportedRow


class PlanBuilder:
    """One plan on its way into rows."""

    def __init__(self, survey: Survey, header: Header, found: Fields, path: str) -> None:
        self.survey = survey
        self.header = header
        self.found = found
        self.path = path
        self.workspace_id = survey.target(header.place)
        self.rows: list[ImportedRow] = []
        self.phase_ids: dict[str, str] = {}

    @property
    def plan_id(self) -> str:
        return self.header.plan_id

    def add(self, table: str, key: str, values: Object, at: str) -> None:
        self.rows.append(ImportedRow(table, key, values, self.path, at, self.plan_id))


def edge(source: Node, target: Node, *, closed: bool, at: str, kind: str = "blocks", **more: Any) -> tuple[str, Object]:
    """Return the key and the columns of a dependency."""
    key: str = more.pop("dependency_id", None) or derived("dep", *source, *target)
    return key, {
        "dependency_id": key,
        "source_type": source[0],
        "source_id": source[1],
        "target_type": target[0],
        "target_id": target[1],
        "dep_type": kind,
        "dep_status": "satisfied" if closed else "pending",
        "satisfied_at": at if closed else None,
        "extra": {},
        "created_at": at,
        "updated_at": at,
        **more,
    }
