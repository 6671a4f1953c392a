"""Rows that should agree and no foreign key binds: what hangs on nothing, waits in a circle, or is counted wrongly."""

from dataclasses import dataclass

from server.db.dependencies import dependencies
from server.db.dependencies.dependencies import IS_CLOSED, TARGET_EXISTS, Node, exists
from server.db.ledger import tables as ledger
from server.db.plans.plans import miscounted
from server.db.storage.connection import Reader
from server.db.storage.driver import Params

MOST = 5  # ids that are told
PARENTS = ("program", "workspace", "plan", "phase", "step", "session")  # an agent is a name, and no row
ARCHIVED = ("plan", "phase", "step", "session")
WAITS = """(
    SELECT count(*) FROM dependencies d WHERE d.source_type = 'step' AND d.source_id = t.step_id
      AND d.dep_type = 'blocks' AND d.dep_status = 'pending'
)"""
ENDED = """
    EXISTS (SELECT 1 FROM sessions s WHERE s.session_id = {0} AND s.status <> 'active')
    OR EXISTS (SELECT 1 FROM sessions_archive s WHERE s.session_id = {0})
"""
# Whoever lets an expired lease be is no fault: the next one who asks takes the step.
HELD_BY_ENDED = f"t.status = 'active' AND t.lease_expires_at > :now AND ({ENDED.format('t.claimed_by')})"
RESERVED_BY_ENDED = f"t.lease_expires_at > :now AND t.session_id IS NOT NULL AND ({ENDED.format('t.session_id')})"


def _gone(kind: str, suffixes: tuple[str, ...]) -> str:
    return " AND ".join(
        f"NOT EXISTS (SELECT 1 FROM {kind}s{suffix} x WHERE x.{kind}_id = t.parent_id)" for suffix in suffixes
    )


def _orphaned(*, archived: bool) -> str:
    """Return the condition that the parent of a row is not where it has to be; sessions may be in the archive."""
    kinds = ARCHIVED if archived else PARENTS
    homes = {kind: ("", "_archive") if archived or kind == "session" else ("",) for kind in kinds}
    arms = " ".join(f"WHEN '{kind}' THEN {_gone(kind, suffixes)}" for kind, suffixes in homes.items())
    return f"CASE t.parent_type {arms} ELSE 0 END"


@dataclass(frozen=True)
class StrayRule:
    """What tells a row that is not as it should be: a condition on `alias`."""

    table: str
    key: str
    where: str
    alias: str = "t"

    @property
    def source(self) -> str:
        return f"FROM {self.table} AS {self.alias} WHERE {self.where}"


NO_PLAN = """NOT EXISTS (SELECT 1 FROM plans p WHERE p.plan_id = {0})
    AND NOT EXISTS (SELECT 1 FROM plans_archive p WHERE p.plan_id = {0})"""
RULES: dict[str, tuple[StrayRule, ...]] = {
    "orphaned-context": (
        StrayRule("context_items", "item_id", _orphaned(archived=False)),
        StrayRule("context_items_archive", "item_id", _orphaned(archived=True)),
    ),
    "orphaned-research": (
        StrayRule("research_documents", "document_id", _orphaned(archived=False)),
        StrayRule("research_documents_archive", "document_id", _orphaned(archived=True)),
    ),
    "orphaned-evidence": tuple(
        StrayRule(f"{table}{suffix}", key, _orphaned(archived=bool(suffix)))
        for table, key in ledger.ON_PARENT.items()
        for suffix in ("", "_archive")
    ),
    "orphaned-facts": (
        StrayRule("memory_entries", "entry_id", f"t.scope = 'plan' AND {NO_PLAN.format('t.scope_id')}"),
    ),
    "orphaned-dependencies": (
        StrayRule("dependencies", "dependency_id", f"NOT ({exists('source')}) OR NOT {TARGET_EXISTS}", "d"),
    ),
    "orphaned-members": (StrayRule("program_plans", "plan_id", NO_PLAN.format("t.plan_id")),),
    "ended-claims": (StrayRule("steps", "step_id", HELD_BY_ENDED),),
    "ended-reservations": (StrayRule("file_reservations", "reservation_id", RESERVED_BY_ENDED),),
    "miscounted-waits": (StrayRule("steps", "step_id", f"t.waits_for <> {WAITS}"),),
    "stale-dependencies": (
        StrayRule(
            "dependencies",
            "dependency_id",
            f"{TARGET_EXISTS} AND (d.dep_status = 'satisfied') <> ({IS_CLOSED})",
            "d",
        ),
    ),
}


@dataclass(frozen=True)
class Strays:
    """Rows of a table that are not as they should be: how many, and the keys of the first."""

    table: str
    count: int
    first: list[str]


def params(db: Reader) -> Params:
    return {"now": db.now(), "most": MOST}


async def strays(db: Reader, name: str) -> list[Strays]:
    """Return the rows that a finding of this name is about, by table."""
    found: list[Strays] = []
    for rule in RULES[name]:
        if count := await db.value(f"SELECT count(*) {rule.source}", params(db)):
            rows = await db.all(f"SELECT {rule.alias}.{rule.key} {rule.source} ORDER BY 1 LIMIT :most", params(db))
            found.append(Strays(rule.table, count, [row[0] for row in rows]))
    return found


async def circles(db: Reader) -> list[list[Node]]:
    """Return what waits for itself, over whatever is between, and workspaces that are below themselves."""
    rows = await db.all(
        """
        SELECT DISTINCT source_type, source_id FROM dependencies
        WHERE dep_type = 'blocks' AND dep_status = 'pending' ORDER BY 1, 2
        """
    )
    starts: list[Node] = [(row[0], row[1]) for row in rows]
    return await dependencies.cycles(db, starts, most=MOST) if starts else []


async def workspace_circle(db: Reader) -> list[str]:
    """Return workspaces of which each is below the next one, if there are such."""
    rows = await db.all(
        "SELECT workspace_id, parent_workspace_id FROM workspaces WHERE parent_workspace_id IS NOT NULL"
    )
    graph: dict[Node, list[Node]] = {("workspace", row[0]): [("workspace", row[1])] for row in rows}
    return [node_id for _, node_id in dependencies.find_cycle(graph) or ()]


async def miscounted_plans(db: Reader) -> list[str]:
    """Return the plans whose number of open steps is stored wrongly, with both numbers."""
    return [f"{one.plan_id} ({one.stored} instead of {one.counted})" for one in await miscounted(db)]
