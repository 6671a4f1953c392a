"""Where a search looks: as the index knows it, and as only the rows do."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from server.db.search.indexing import facet
from server.db.storage.connection import Reader

MOST_PLACES = 500
IS_SHOWN = """(
    d.workspace_id IS NULL OR d.workspace_id NOT IN (SELECT workspace_id FROM workspaces WHERE importing IS NOT NULL)
)"""  # asked once a statement, not once a row
STATUS = """CASE d.kind
    WHEN 'step' THEN coalesce((SELECT status FROM steps WHERE step_id = d.entity_id),
        (SELECT status FROM steps_archive WHERE step_id = d.entity_id))
    WHEN 'plan' THEN coalesce((SELECT status FROM plans WHERE plan_id = d.entity_id),
        (SELECT status FROM plans_archive WHERE plan_id = d.entity_id))
    WHEN 'program' THEN (SELECT status FROM programs WHERE program_id = d.entity_id)
    WHEN 'session' THEN coalesce((SELECT status FROM sessions WHERE session_id = d.entity_id),
        (SELECT status FROM sessions_archive WHERE session_id = d.entity_id))
END = :status"""
PHASE = (
    "("
    + " OR ".join(
        f"""EXISTS (
        SELECT 1 FROM phases{suffix} h WHERE (folded(h.name) = folded(:phase) OR h.phase_id = :phase)
        AND h.phase_id IN (d.entity_id, (SELECT phase_id FROM steps{suffix} WHERE step_id = d.entity_id))
    )"""
        for suffix in ("", "_archive")
    )
    + ")"
)


@dataclass(frozen=True)
class Scope:
    """Where to look. None means anywhere; what belongs to no workspace is found from each of them."""

    workspace_ids: Sequence[str] | None = None
    plan_ids: Sequence[str] | None = None
    program_ids: Sequence[str] = ()
    kinds: Sequence[str] = ()
    types: Sequence[str] = ()  # kinds, or what kind of a kind: the type of a context item, the category of a plan
    subtype: str | None = None
    parent: tuple[str, str | None] | None = None  # its kind, and which one
    tags: Sequence[str] = ()
    since: str | None = None
    until: str | None = None
    status: str | None = None
    phase: str | None = None
    archived: bool = False

    def facets(self) -> str:
        """Return what the index knows, in its own language, to put behind a match in parentheses."""
        found = [_any("k", self.kinds)] if self.kinds else []
        found += [f"({_any('k', self.types)} OR {_any('t', self.types)})"] if self.types else []
        found += [_any("t", [self.subtype])] if self.subtype else []
        if self.workspace_ids is not None:
            found.append(_any("w", [*self.workspace_ids, ""]))
        if self.plan_ids is not None:
            of_program = [f"program {program_id}" for program_id in self.program_ids]
            places = [("p", self.plan_ids), ("x", self.program_ids), ("r", of_program)]
            found.append("(" + " OR ".join(_any(letter, values or ["-"]) for letter, values in places) + ")")
        if self.parent and self.parent[1]:
            found.append(_any("r", [f"{self.parent[0]} {self.parent[1]}"]))
        found += [_any("g", [tag]) for tag in self.tags]
        return "".join(f" AND facets : ({condition})" for condition in found)

    def condition(self) -> str:
        """Return the SQL for what the index does not know."""
        told = ["(d.expires_at IS NULL OR d.expires_at > :now)"]
        told += [IS_SHOWN]
        told += [] if self.archived or self.status == "archived" else ["d.archived = 0"]
        told += ["d.parent_type = :parent_type"] if self.parent else []
        told += ["d.updated_at >= :since"] if self.since else []
        told += ["d.updated_at <= :until"] if self.until else []
        told += [f"(d.archived = 1 OR {STATUS})" if self.status == "archived" else STATUS] if self.status else []
        told += [PHASE] if self.phase else []
        return " AND ".join(told)

    def params(self, now: str) -> dict[str, Any]:
        told = {name: getattr(self, name) for name in ("since", "until", "status", "phase")}
        return {**told, "now": now, "parent_type": self.parent[0] if self.parent else None}


def _any(letter: str, values: Iterable[str]) -> str:
    return "(" + " OR ".join(f'"{facet(letter, value)}"' for value in values) + ")"


async def linked(db: Reader, workspace_id: str) -> list[str]:
    """Return a workspace and those it is linked with: above it, below it, and beside it."""
    rows = await db.all(
        """
        WITH RECURSIVE near (workspace_id) AS (
            SELECT :workspace_id UNION
            SELECT w.workspace_id FROM workspaces w JOIN near n ON w.parent_workspace_id = n.workspace_id UNION
            SELECT w.parent_workspace_id FROM workspaces w JOIN near n ON w.workspace_id = n.workspace_id
            WHERE w.parent_workspace_id IS NOT NULL
        )
        SELECT workspace_id FROM near LIMIT :most
        """,
        {"workspace_id": workspace_id, "most": MOST_PLACES},
    )
    return [row["workspace_id"] for row in rows]


async def plans_of_program(db: Reader, program_id: str) -> list[str]:
    """Return the plans of a program, archived ones too, the latest of many."""
    rows = await db.all(
        """
        SELECT plan_id FROM program_plans WHERE program_id = :program_id
        UNION SELECT plan_id FROM plans WHERE program_id = :program_id
        ORDER BY plan_id DESC LIMIT :most
        """,
        {"program_id": program_id, "most": MOST_PLACES},
    )
    return [row["plan_id"] for row in rows]
