"""What the old shape has no place for, counted, so that an export of it says all that it leaves out."""

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from typing import Any

from server.db.interchange import exports
from server.db.interchange.exports import Rows
from server.db.storage.connection import Reader

Row = Mapping[str, Any]
PLACED = {
    "workspaces", "workspace_aliases", "programs", "program_plans", "program_risks", "plans", "phases", "steps",
    "plan_notes", "confirmations", "knowledge", "build_scripts",
}  # fmt: skip
# An import of the files writes these anew.
REMEMBERED = {"import_runs", "import_files", "import_rows"}
WORDS = {
    "messages": "messages",
    "memory_entries": "facts",
    "trash": "things in the trash",
    "sessions": "sessions without a plan",
    "lineage": "hand-offs without a plan",
    "checkpoints": "checkpoints",
    "file_reservations": "file reservations",
    "step_workers": "notes of who worked on a step",
    "step_counts": "days of which it is known how many steps came and went",
    "approvals": "questions to a human",
    "step_file_edits": "file edits",
    "dependencies": "dependencies other than between steps of a plan and between plans",
    "context_items": "context items of what is no plan and no workspace",
    "research_documents": "research files of what is no plan and no workspace",
    "program_workspace_links": "links of programs to workspaces",
    "agent_definitions": "agent definitions of yours",
    "instruction_files": "instructions of yours",
    "skill_definitions": "skills of yours",
    "workspace_instructions": "instructions assigned to workspaces",
    "workspace_skills": "skills assigned to workspaces",
    "workspace_agents": "agent definitions assigned to workspaces",
    "runs": "runs",
    "decisions": "decisions",
    "tool_calls": "tool calls",
    "quality_gates": "gate results",
    "artifacts": "artifacts",
    "metric_points": "metric points",
    "field_changes": "changes of fields",
    "task_progress": "notes of progress",
    "cache_entries": "cached values",
    "plan_terms": "terms of plans",
    "budgets": "budgets",
    "agents": "agents at work",
    "deployed_files": "which files were written for clients",
    "event_log": "events that no import brought",
    "update_log": "entries of the history that no import brought",
}


async def counted(db: Reader, workspace_id: str | None, plan_id: str | None) -> dict[str, int]:
    """Return what an export of a plan, of a workspace or of everything leaves out, in words, and how much of it."""
    found = Counter[str]()
    async for rows, imported in _parts(db, workspace_id, plan_id):
        found += of(rows, imported)
    return {WORDS[table]: found[table] for table in WORDS if found[table]}


async def _parts(
    db: Reader, workspace_id: str | None, plan_id: str | None
) -> AsyncGenerator[tuple[Rows, Collection[str]]]:
    """Yield the rows that an export is about, as the lossless one has them, with the dependencies that files held."""
    if plan_id:
        home = await exports.workspace_of(db, plan_id) or ""
        yield await exports.plan(db, plan_id), await exports.imported_dependencies(db, home)
        return
    for one in [workspace_id] if workspace_id else await exports.workspaces(db):
        imported = await exports.imported_dependencies(db, one)
        yield await exports.workspace(db, one), imported
        for each in await exports.plans(db, one):
            yield await exports.plan(db, each), imported
        for program_id in await exports.programs(db, one):
            yield await exports.program(db, program_id), imported
        async for rows in exports.logs(db, one):
            yield rows, imported
    if workspace_id is None:
        yield await exports.everywhere(db), ()
        async for rows in exports.logs(db, None):
            yield rows, ()


def of(rows: Rows, imported: Collection[str]) -> Counter[str]:
    """Return how many rows of each table have no place in files."""
    is_plan = not rows.keys().isdisjoint(("plans", "plans_archive"))
    steps = {row["step_id"] for name in ("steps", "steps_archive") for row in rows.get(name, ())}

    def waits(row: Row) -> bool:
        ends = (row["source_type"], row["target_type"])
        inner = ends == ("step", "step") and {row["source_id"], row["target_id"]} <= steps
        is_told = row["dep_type"] == "blocks" and (inner or ends == ("plan", "plan"))
        return not is_told and row["dependency_id"] not in imported

    tests: dict[str, Callable[[Row], bool]] = {
        "sessions": lambda row: not is_plan,
        "lineage": lambda row: not is_plan,
        "context_items": lambda row: row["parent_type"] not in ("plan", "workspace"),
        "research_documents": lambda row: row["parent_type"] not in ("plan", "workspace"),
        "dependencies": waits,
        "event_log": lambda row: '"legacy_id":' not in row["data"],
        "update_log": lambda row: '"legacy":' not in row["extra"],
    }
    found = Counter[str]()
    for name, listed in rows.items():
        table = name.removesuffix("_archive")
        if table in WORDS:
            found[table] += sum(map(tests.get(table, bool), listed))
    return found


def told(rows: Rows, imported: Collection[str]) -> str | None:
    """Return what of a plan has no place in its files."""
    missing = [f"{number} {WORDS[table]}" for table, number in of(rows, imported).items() if number]
    return f"the old shape has no place for {', '.join(missing)}; --format json has" if missing else None
