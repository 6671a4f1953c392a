"""What a program looks like as a whole: its plans and how far they are, what waits for what, its open risks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from server.db.plans import plans
from server.db.programs import risks
from server.db.programs.programs import SHOWN, TOTALS, with_percent
from server.db.storage.connection import Reader
from server.models.plans import PlanBrief
from server.models.programs import PROGRAM_PLANS_LIMIT, Program, Risk

PROGRAM = f"SELECT p.*, {TOTALS} FROM programs p WHERE p.program_id = :program_id AND {SHOWN}"
LINKS = "SELECT workspace_id FROM program_workspace_links WHERE program_id = :program_id ORDER BY created_at"
# SQLite looks rows up in an index by such a list only if the outermost select of it is a plain one.
NODES = """(SELECT * FROM (
    SELECT 'program', :program_id
    UNION ALL SELECT 'plan', plan_id FROM program_plans WHERE program_id = :program_id
    UNION ALL SELECT 'phase', f.phase_id
        FROM program_plans m JOIN phases f ON f.plan_id = m.plan_id WHERE m.program_id = :program_id
))"""


def _of(end: str, archived: str = "") -> str:
    """Return the plan, the title of it and the name of the phase that an end of the row `d` is or belongs to."""
    phase = f"phases{archived} h JOIN plans{archived} p ON p.plan_id = h.plan_id WHERE h.phase_id = d.{end}_id"
    return f"""
        SELECT p.plan_id, p.title, NULL AS phase FROM plans{archived} p
        WHERE d.{end}_type = 'plan' AND p.plan_id = d.{end}_id
        UNION ALL SELECT p.plan_id, p.title, h.name FROM {phase} AND d.{end}_type = 'phase'
    """


def _told(end: str, column: str) -> str:
    program = f"SELECT title FROM programs WHERE d.{end}_type = 'program' AND program_id = d.{end}_id"
    found = f"SELECT {column} FROM ({_of(end)} UNION ALL {_of(end, '_archive')}) LIMIT 1"
    return f"coalesce(({found}), ({program}))" if column == "title" else f"({found})"


TOLD = ", ".join(
    f"{_told(end, column)} AS {end}_{column}"
    for end in ("source", "target")
    for column in ("plan_id", "title", "phase")
)
EDGE = f"d.dependency_id, d.source_type, d.source_id, d.target_type, d.target_id, d.dep_type, d.dep_status, {TOLD}"
# What the plans of a program, their phases and itself wait for; and, of that, what is not there yet.
WAITS = f"SELECT {EDGE} FROM dependencies d WHERE (d.source_type, d.source_id) IN {NODES}"
BLOCKED = f"{WAITS} AND d.dep_type = 'blocks' AND d.dep_status = 'pending' ORDER BY d.dependency_id"
EDGES = f"""
    {WAITS} UNION
    SELECT {EDGE} FROM dependencies d WHERE (d.target_type, d.target_id) IN {NODES}
    ORDER BY dependency_id
"""
Edges = list[dict[str, Any]]


@dataclass(frozen=True)
class ProgramOverview:
    """A program, its totals, the workspaces that see it, its first plans, what these wait for, and open risks."""

    program: Program
    totals: Mapping[str, int]
    links: list[str]
    plans: list[PlanBrief]
    blocked: Edges
    risks: list[Risk]


async def read(db: Reader, program_id: str) -> ProgramOverview | None:
    """Return a program as a whole, in one hop."""
    params = {"program_id": program_id, **risks.OPEN}
    members = plans.of_program(program_id, after=None, limit=PROGRAM_PLANS_LIMIT)
    rows, linked, briefs, blocked, found = await db.batch(
        (PROGRAM, params), (LINKS, params), members, (BLOCKED, params), (risks.LISTING, params)
    )
    if not rows:
        return None
    counts = with_percent(rows[0])
    names = ("plans_done", "plans_total", "steps_done", "steps_total", "percent", "open_risks")
    return ProgramOverview(
        Program.of(rows[0]),
        {name: counts[name] for name in names},
        [row["workspace_id"] for row in linked],
        [PlanBrief.of(plans.with_done(row)) for row in briefs],
        [dict(row) for row in blocked],
        [Risk.of(row) for row in found],
    )


async def graph(db: Reader, program_id: str) -> tuple[list[PlanBrief], Edges]:
    """Return the plans of a program in their order, and every dependency of or on them, their phases and itself."""
    members = plans.of_program(program_id, after=None, limit=PROGRAM_PLANS_LIMIT)
    briefs, edges = await db.batch(members, (EDGES, {"program_id": program_id}))
    return [PlanBrief.of(plans.with_done(row)) for row in briefs], [dict(row) for row in edges]
