"""Format `markdown`: for people. A page for each plan, and one for each workspace that leads to them."""

import json
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from server.db.interchange import exports
from server.db.interchange.exports import Rows
from server.db.storage.connection import Reader
from server.db.workspaces.stats import EXPIRING
from server.exporters import markdown_lines as md
from server.exporters.documents import file_name
from server.exporters.folder import File

Row = Mapping[str, Any]
Lines = Iterator[str]

MARKS = {"done": "x", "cancelled": "-", "active": "/"}


async def store(db: Reader) -> AsyncGenerator[File]:
    """Yield the pages of every workspace."""
    for workspace_id in await exports.workspaces(db):
        async for file in workspace(db, workspace_id):
            yield file


async def workspace(db: Reader, workspace_id: str) -> AsyncGenerator[File]:
    """Yield the pages of a workspace's plans, then the one that lists them."""
    root = file_name(workspace_id)
    plans: list[Row] = []
    for plan_id in await exports.plans(db, workspace_id):
        rows = unexpired(await exports.plan(db, plan_id), db.now())
        plans.append(_summary(rows))
        yield _page(f"{root}/plans/{file_name(plan_id)}.md", plan(rows), is_plan=True)
    ids = await exports.programs(db, workspace_id)
    programs = [unexpired(await exports.program(db, program_id), db.now()) for program_id in ids]
    own = unexpired(await exports.workspace(db, workspace_id), db.now())
    yield _page(f"{root}/README.md", _workspace(own, programs, plans))


async def one_plan(db: Reader, plan_id: str) -> AsyncGenerator[File]:
    """Yield the page of one plan."""
    yield await plan_page(db, plan_id)


async def plan_page(db: Reader, plan_id: str) -> File:
    """Return the page of one plan."""
    rows = unexpired(await exports.plan(db, plan_id), db.now())
    return _page(f"{file_name(plan_id)}.md", plan(rows), is_plan=True)


def plan(rows: Rows) -> Lines:
    """Yield the lines of a plan's page. `rows` are all that belong to it, live or archived."""
    parts = live(rows)
    [head] = parts["plans"]
    yield f"# {md.line(head['title'])}"
    yield ""
    yield from md.facts(head, ("plan_id", "workspace_id", "program_id", "category", "priority"))
    yield f"- status: {head['status']}{', archived ' + head['archived_at'] if head['archived_at'] else ''}"
    yield f"- progress: {_progress(parts.get('steps', []))}"
    yield from md.facts(head, ("owner", "workflow_mode", "recommended_next_agent", "paused_at", "source"))
    yield from md.facts(head, ("created_at", "updated_at", "completed_at"))
    yield from md.prose("Description", head["description"])
    yield from md.titled("Goals", md.bullets(json.loads(head["goals"])))
    yield from md.titled("Success criteria", md.bullets(json.loads(head["success_criteria"])))
    for name in ("categorization", "deployment_context", "paused_at_snapshot", "extra"):
        yield from md.data(f"{name.replace('_', ' ').capitalize()}", head[name], level=2)
    yield from _phases(parts)
    for title, section in SECTIONS.items():
        yield from md.titled(title, section(parts))
    yield from _others(parts)


def step(rows: Rows, index: int) -> Lines:
    """Yield the lines of the page of one step, which is there; `rows` are what the page shows."""
    parts = live(rows)
    [head], [phase] = parts["plans"], parts["phases"]
    found = next(row for row in parts["steps"] if row["order_index"] == index)
    confirmed = {row["step_id"]: row for row in parts.get("confirmations", [])}
    order = {row["step_id"]: row["order_index"] + 1 for row in parts["steps"]}
    yield f"# Step {index + 1} of {md.line(head['title'])}"
    yield from (
        "",
        f"- plan: {md.code(head['plan_id'])}",
        f"- phase: {md.line(phase['name'])}",
        f"- index: {index}",
        "",
    )
    yield from _step(found, index + 1, _waits(parts, order).get(found["step_id"], []), confirmed)
    yield from md.titled("Context", _context(parts))
    yield from md.titled("Research", _research(parts))
    yield from _others(parts)


def program(rows: Rows) -> Lines:
    """Yield the lines of a program's page."""
    yield from _program(live(rows))


def unexpired(rows: Rows, now: str) -> Rows:
    """Return rows without those whose time is over: they are for no reader."""
    return {
        table: [row for row in some if not (until := row.get(EXPIRING.get(table, ""))) or until > now]
        for table, some in rows.items()
    }


def live(rows: Rows) -> Rows:
    """Return rows by the name of the live table, wherever they are."""
    found: Rows = {}
    for table, some in rows.items():
        found.setdefault(table.removesuffix("_archive"), []).extend(some)
    return found


def _summary(rows: Rows) -> Row:
    parts = live(rows)
    [head] = parts["plans"]
    return {**head, "progress": _progress(parts.get("steps", []))}


def _progress(steps: Iterable[Row]) -> str:
    counted = [step["status"] for step in steps]
    return f"{counted.count('done')} of {len(counted)} steps done"


# The parts of a plan's page


def _phases(parts: Rows) -> Lines:
    """Yield the phases in their order, each with its steps in theirs; a step keeps the number it has in the plan."""
    steps = parts.get("steps", [])
    order = {step["step_id"]: place for place, step in enumerate(steps, 1)}
    waits = _waits(parts, order)
    confirmed = {row["phase_id"] or row["step_id"]: row for row in parts.get("confirmations", [])}
    for phase in parts.get("phases", []):
        own = [step for step in steps if step["phase_id"] == phase["phase_id"]]
        yield from ("", f"## {md.line(phase['name'])}", "")
        yield f"_{_progress(own)}{_gate(phase, confirmed)}_"
        yield from md.prose("", phase["description"])
        yield from md.bullets(json.loads(phase["success_criteria"]), "Done when")
        yield from md.bullets(json.loads(phase["required_agents"]), "Agents")
        yield ""
        for step in own:
            yield from _step(step, order[step["step_id"]], waits.get(step["step_id"], []), confirmed)
        yield from md.data("More about this phase", phase["extra"], level=3)


def _gate(phase: Row, confirmed: Mapping[str, Row]) -> str:
    if mark := confirmed.get(phase["phase_id"]):
        return f"; {_confirmed(mark)}"
    return "; needs approval" if phase["approval_required"] else ""


def _confirmed(mark: Row) -> str:
    """Say who confirmed something and how; a word that an agent passed on is told as such."""
    by = mark["confirmed_by"] or "somebody"
    said = f"({by})" if mark["via"] == "relayed" else f"by {by} ({mark['via']})"
    note = f": {md.indented(mark['note'], 4)}" if mark["note"] else ""
    return f"confirmed {said} at {mark['created_at']}{note}"


def _waits(parts: Rows, order: Mapping[str, int]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in parts.get("dependencies", []):
        place = order.get(row["target_id"])
        target = f"step {place}" if place else f"{row['target_type']} {row['target_id']}"
        found.setdefault(row["source_id"], []).append(f"{target} ({row['dep_type']}, {row['dep_status']})")
    return found


def _step(step: Row, place: int, waits: Iterable[str], confirmed: Mapping[str, Row]) -> Lines:
    """Yield a step as a task of a list; what else is known of it stands below."""
    yield f"- [{MARKS.get(step['status'], ' ')}] **{place}.** {md.indented(step['task'], 2)}"
    about = [step["status"], step["type"]] if step["type"] != "standard" else [step["status"]]
    about += [f"{step[name]} priority" for name in ("priority",) if step[name]]
    about += [f"for {step['assignee']}"] if step["assignee"] else []
    about += [f"held by {step['claimed_by']}"] if step["claimed_by"] else []
    about += [f"completed {step['completed_at']}"] if step["completed_at"] else []
    about += [f"by {step['completed_by']}"] if step["completed_by"] else []
    flags = ("requires_validation", "requires_confirmation", "requires_user_confirmation")
    about += [flag.replace("_", " ") for flag in flags if step[flag]]
    yield f"  - {md.code(step['step_id'])}: {md.line(', '.join(about))}"
    yield from (f"  - waits for {target}" for target in waits)
    if mark := confirmed.get(step["step_id"]):
        yield f"  - {_confirmed(mark)}"
    yield from (f"  - {name}: {md.indented(step[name], 4)}" for name in ("section", "notes") if step[name])
    if step["extra"] != "{}":
        yield f"  - more: {md.code(step['extra'])}"


def pending_page(label: str, steps: Iterable[Row], waits: Iterable[Row]) -> str:
    """Return open steps as a page: of each plan and phase together, in their order."""
    targets: dict[str, list[str]] = {}
    for row in waits:
        target = f"step {row['place']}" if row["place"] else f"{row['target_type']} {row['target_id']}"
        targets.setdefault(row["source_id"], []).append(f"{target} ({row['dep_type']}, {row['dep_status']})")
    lines = [f"# Open steps of {md.line(label)}"]
    plan_id = phase_id = None
    for step in steps:
        if step["plan_id"] != plan_id:
            lines += ["", f"## {md.line(step['plan_title'])}", ""]
            lines += [f"{md.code(step['plan_id'])}: {step['plan_status']}, {step['plan_priority']} priority"]
        if step["phase_id"] != phase_id:
            lines += ["", f"### {md.line(step['phase_name'])}", ""]
        plan_id, phase_id = step["plan_id"], step["phase_id"]
        lines += _step(step, step["order_index"] + 1, targets.get(step["step_id"], ()), {})
    return "\n".join(lines) + "\n"


def _dependencies(parts: Rows) -> Lines:
    """Yield what the plan and its phases wait for; what a step waits for stands with the step."""
    steps = {step["step_id"] for step in parts.get("steps", [])}
    rows = [row for row in parts.get("dependencies", []) if row["source_id"] not in steps]
    names = {row["plan_id"]: "the plan" for row in parts.get("plans", [])}
    names |= {row["phase_id"]: f"phase {row['name']}" for row in parts.get("phases", [])}
    yield from md.bullets(
        [
            f"{names.get(row['source_id'], row['source_id'])} waits for {row['target_type']} "
            f"{md.code(row['target_id'])} ({row['dep_type']}, {row['dep_status']})"
            for row in rows
        ],
    )


def _notes(parts: Rows) -> Lines:
    lines = [
        f"{row['created_at']} **{row['note_type']}**{_by(row['added_by'])}"
        f"{' to ' + row['deliver_to'] if row['deliver_to'] else ''}: {row['note']}"
        f"{' (seen by ' + row['acknowledged_by'] + ')' if row['acknowledged_by'] else ''}"
        for row in parts.get("plan_notes", [])
    ]
    yield from md.bullets(lines)


def _sessions(parts: Rows) -> Lines:
    for row in parts.get("sessions", []):
        yield from ("", f"### {md.line(row['agent'])}, {row['started_at']}", "")
        yield from md.facts(row, ("session_id", "status", "parent_session_id", "last_seen_at", "completed_at"))
        yield from md.prose("", row["summary"])
        yield from md.bullets(json.loads(row["artifacts"]), "Artifacts")
        yield from md.data("Context", row["context"])
        yield from md.data("More", row["extra"])


def _lineage(parts: Rows) -> Lines:
    for row in parts.get("lineage", []):
        reason = md.indented(row["reason"], 2)
        yield from (
            "",
            f"- {row['created_at']} **{md.line(row['from_agent'])} → {md.line(row['to_agent'])}**: {reason}",
        )
        yield from md.data("Data", row["data"])
        yield from md.data("More", row["extra"])


def _context(parts: Rows) -> Lines:
    for row in parts.get("context_items", []):
        yield from ("", f"### {md.line(row['type'])}", "")
        yield from md.facts(row, ("item_id", "parent_type", "parent_id", "created_by", "expires_at", "updated_at"))
        yield from md.bullets(json.loads(row["tags"]), "Tags")
        yield from md.data("", row["data"])
        yield from md.data("More", row["extra"])


def _research(parts: Rows) -> Lines:
    """Yield documents in a fence, so that their headings are not taken for ours."""
    for row in parts.get("research_documents", []):
        yield from ("", f"### {md.line(row['filename'])}", "")
        yield from md.facts(row, ("document_id", "parent_type", "parent_id", "created_by", "updated_at"))
        yield from md.fenced(row["content"], "markdown")


def _others(parts: Rows) -> Lines:
    """Yield what has no section of its own, each row as data."""
    rest = {
        "Files changed": "step_file_edits",
        "Checkpoints": "checkpoints",
        "Build scripts": "build_scripts",
        "Decisions": "decisions",
        "Gates": "quality_gates",
        "Runs": "runs",
        "Tool calls": "tool_calls",
        "Artifacts": "artifacts",
        "Metrics": "metric_points",
        "Progress": "task_progress",
        "Terms": "plan_terms",
        "Budgets": "budgets",
        "Cached": "cache_entries",
        "Changes": "field_changes",
        "Agents at work": "agents",
        "Remembered": "memory_entries",
    }
    for name, table in rest.items():
        rows = parts.get(table, [])
        yield from md.titled(name, md.bullets([md.code(json.dumps(_filled(row), ensure_ascii=False)) for row in rows]))


SECTIONS = {
    "Dependencies": _dependencies,
    "Notes": _notes,
    "Sessions": _sessions,
    "Hand-offs": _lineage,
    "Context": _context,
    "Research": _research,
}

# A workspace's page


def _workspace(rows: Rows, programs: Iterable[Rows], plans: Iterable[Row]) -> Lines:
    [head] = rows["workspaces"]
    yield f"# {md.line(head['display_name'] or head['name'])}"
    yield ""
    yield from md.facts(head, ("workspace_id", "path", "parent_workspace_id", "created_at", "updated_at"))
    yield from md.bullets([row["alias"] for row in rows.get("workspace_aliases", [])], "Also known as")
    yield from _listed("Plans", [plan for plan in plans if not plan["archived_at"]])
    yield from _listed("Archived plans", [plan for plan in plans if plan["archived_at"]])
    for program in programs:
        yield from _program(program)
    for title, section in {"Knowledge": _knowledge, **SECTIONS, "Messages": _messages}.items():
        yield from md.titled(title, section(rows))
    yield from _others(rows)
    yield from md.data("Profile", head["profile"], level=2)
    yield from md.data("More about this workspace", head["meta"], level=2)


def _knowledge(rows: Rows) -> Lines:
    for row in rows.get("knowledge", []):
        yield from ("", f"### {md.line(row['title'])}", "")
        yield from md.facts(row, ("slug", "category", "superseded_by", "created_by_agent", "updated_at"))
        yield from md.fenced(row["content"], "markdown")


def _messages(rows: Rows) -> Lines:
    lines = [
        f"{row['created_at']} {row['from_agent'] or 'somebody'} → {row['to_agent']}: {row['content']}"
        for row in rows.get("messages", [])
    ]
    yield from md.bullets(lines)


def _listed(title: str, plans: Iterable[Row]) -> Lines:
    for place, plan in enumerate(plans):
        if not place:
            yield from (
                "",
                f"## {title}",
                "",
                "| plan | status | priority | progress | updated |",
                "|---|---|---|---|---|",
            )
        link = f"[{md.cell(plan['title'])}](plans/{quote(file_name(plan['plan_id']))}.md)"
        cells = (link, plan["status"], plan["priority"], plan["progress"], plan["updated_at"])
        yield f"| {' | '.join(cells)} |"


def _program(rows: Rows) -> Lines:
    [head] = rows["programs"]
    yield from ("", f"## Program: {md.line(head['title'])}", "")
    yield from md.facts(head, ("program_id", "status", "category", "priority", "updated_at", "archived_at"))
    yield from md.prose("", head["description"])
    yield from md.bullets(json.loads(head["goals"]), "Goals")
    yield from md.bullets(json.loads(head["success_criteria"]), "Done when")
    yield from md.bullets([md.code(row["plan_id"]) for row in rows.get("program_plans", [])], "Plans")
    risks = [f"**{row['severity']}** {row['title']} ({row['status']})" for row in rows.get("program_risks", [])]
    yield from md.bullets(risks, "Risks")
    yield from md.data("More", head["extra"])


def _by(who: str | None) -> str:
    return f" by {who}" if who else ""


def _filled(row: Row) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value not in (None, "", "{}", "[]")}


def _page(path: str, lines: Lines, *, is_plan: bool = False) -> File:
    return File(path, ("\n".join(lines) + "\n").encode(), is_plan=is_plan)
