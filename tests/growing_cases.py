"""For every write action, calls whose cost is compared: what they change, and how it may grow with the store."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.growing_store import IN_PHASE, RESEARCH_LINE, GrowingStore, steps_of
from tests.populated_store import VERSION

ONE = 1.5  # it changes one thing, or a few, however many there are
OPEN = 5  # it counts the open steps of the plan, or looks why none of them is free
GATES = 5  # it ends something that others wait for: what else holds them is looked at
PHASES = 5  # it looks at every phase of the plan, since names are compared as people do
ALL = 5  # it changes, or has to look at, as much as there is: with four times as much it may cost five times as much

Arguments = Callable[[GrowingStore], dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """A call, the calls that make the store ready for it, and how many times its cost may grow."""

    arguments: Arguments
    most: float = ONE
    before: tuple[tuple[str, str, Arguments], ...] = ()


def on_plan(**more: Any) -> Arguments:
    return lambda w: {"plan_id": w.plan_id, **more}


def on_here(**more: Any) -> Arguments:
    return lambda w: {"workspace_id": w.here, **more}


def on_step(number: int, **more: Any) -> Arguments:
    """Name the step that is so far from the end; every fifth one from there waits for nothing."""
    return lambda w: {"step_id": w.step(w.size - number), **more}


def as_me(**more: Any) -> Arguments:
    return lambda w: {"session_id": w.me, **more}


def mine(**more: Any) -> Arguments:
    return lambda w: {"session_id": w.me, "step_id": w.mine, **more}


def in_file(action: str, **more: Any) -> Case:
    """A call about a file that was written before."""
    where = {"source" if "destination" in more else "path": f"{action}.txt"}
    before = (("memory_filesystem", "write", on_here(path=f"{action}.txt", content="a")),)
    return Case(on_here(**where, **more), before=before)


def turned(w: GrowingStore) -> dict[str, Any]:
    return {"plan_id": w.plan_id, "new_order": list(range(w.size))[::-1]}


def swapped(w: GrowingStore) -> dict[str, Any]:
    order = list(range(w.size))
    order[5:7] = [6, 5]
    return {"plan_id": w.plan_id, "new_order": order}


def checklist(w: GrowingStore) -> str:
    return "# Plan\n" + "".join(f"## Part {n // IN_PHASE}\n- [ ] Do {n}\n" for n in range(w.size))


def phases(w: GrowingStore) -> list[str]:
    return [f"Phase {number}" for number in range(w.size // IN_PHASE)]


def on_program(**more: Any) -> Arguments:
    return lambda w: {"program_id": w.program_id, **more}


def ends(source: int, target: int, **more: Any) -> Arguments:
    """Name two plans of the program by their places."""
    return lambda w: {
        "program_id": w.program_id,
        "source_plan_id": w.members[source],
        "target_plan_id": w.members[target],
        **more,
    }


CASES: Mapping[str, tuple[Case, ...]] = {
    "memory_workspace register": (
        Case(lambda w: {"workspace_path": str(w.folder / "here")}),
        Case(lambda w: {"workspace_path": str(w.folder / "new")}),
    ),
    "memory_workspace migrate": (
        Case(lambda w: {"workspace_id": w.moved, "workspace_path": str(w.folder / "elsewhere")}),
    ),
    "memory_workspace reindex": (Case(on_here()),),
    "memory_workspace export_pending": (Case(on_here(output_filename="pending.md", force=True)),),
    "memory_workspace generate_focused_workspace": (Case(on_plan()),),
    "memory_workspace merge": (
        Case(lambda w: {"source_workspace_id": w.there, "target_workspace_id": w.here}),
        Case(lambda w: {"source_workspace_id": w.there, "target_workspace_id": w.here, "dry_run": False}, ALL),
    ),
    "memory_workspace set_display_name": (Case(on_here(display_name="Other")),),
    "memory_workspace link": (Case(lambda w: {"workspace_id": w.here, "child_workspace_id": w.child}),),
    "memory_workspace restore": (Case(lambda w: {"trash_id": w.trash_id}, ALL),),
    "memory_plan add_build_script": (Case(on_here(script_name="test", script_command="pytest")),),
    "memory_plan delete_build_script": (
        Case(
            on_here(script_name="lint", confirm=True),
            before=(("memory_plan", "add_build_script", on_here(script_name="lint", script_command="ruff check")),),
        ),
    ),
    "memory_plan run_build_script": (
        Case(
            on_here(script_name="version", execute=True),
            before=(
                ("memory_plan", "add_build_script", on_here(script_name="version", script_command=shlex.join(VERSION))),
            ),
        ),
    ),
    "memory_plan create": (
        Case(on_here(title="Small", steps=[{"task": "a"}, {"task": "b", "depends_on": [0]}])),
        Case(lambda w: {"workspace_id": w.here, "title": "Large", "steps": steps_of(w.size)}, ALL),
    ),
    "memory_plan create_from_template": (Case(on_here(title="T", template="bugfix")),),
    "memory_plan clone_plan": (Case(on_plan(), ALL),),
    "memory_plan consolidate": (
        Case(on_plan(step_indices=[5, 6, 7], consolidated_task="All three", confirm=True), GATES),
        Case(on_plan(step_indices=[5, 6, 7], consolidated_task="All three"), OPEN),
    ),
    "memory_plan merge_plans": (Case(lambda w: {"target_plan_id": w.plan_id, "source_plan_ids": [w.away]}, ALL),),
    "memory_plan delete": (Case(on_plan(confirm=True, force=True), ALL), Case(on_plan(), ALL)),
    "memory_plan set_plan_dependencies": (
        Case(lambda w: {"plan_id": w.first, "depends_on_plans": []}),
        Case(lambda w: {"plan_id": w.after, "depends_on_plans": [w.plan_id, w.first]}, ALL),
    ),
    "memory_plan confirm": (
        Case(on_plan(confirmation_scope="phase", confirm_phase="Phase 9", agent="Eve")),
        Case(lambda w: {"confirmation_scope": "step", "step_id": w.step(w.size - 5), "agent": "Eve"}),
    ),
    "memory_plan import": (Case(lambda w: {"workspace_id": w.here, "content": checklist(w)}, ALL),),
    "memory_plan export_plan": (Case(on_plan(output_path="plan.json", force=True)),),
    "memory_plan add_note": (Case(on_plan(note="Careful")),),
    "memory_plan add_phase": (Case(on_plan(name="Last"), PHASES), Case(on_plan(name="First", at_index=0), PHASES)),
    "memory_plan update_phase": (Case(on_plan(phase="Phase 8", description="More"), PHASES),),
    "memory_plan reorder_phases": (Case(lambda w: {"plan_id": w.plan_id, "phase_order": phases(w)[::-1]}, ALL),),
    "memory_plan delete_phase": (
        Case(on_plan(phase="Phase 0", confirm=True, force=True), ALL),
        Case(lambda w: {"plan_id": w.plan_id, "phase": phases(w)[-1], "confirm": True, "agent": "Eve"}, GATES),
        Case(lambda w: {"plan_id": w.plan_id, "phase": phases(w)[-1]}),
    ),
    "memory_plan update": (
        Case(on_plan(title="Other")),
        Case(on_plan(status="completed", force=True, agent="Eve"), GATES),
        Case(on_plan(status="archived", force=True), ALL),
    ),
    "memory_plan pause_plan": (Case(on_plan(pause_reason="deferred")),),
    "memory_plan resume_plan": (
        Case(on_plan(), before=(("memory_plan", "pause_plan", on_plan(pause_reason="deferred")),)),
    ),
    "memory_plan archive": (Case(on_plan(force=True), ALL),),
    "memory_plan archive_old": (Case(lambda w: {"workspace_id": w.child, "status": "failed", "confirm": True}, ALL),),
    "memory_plan unarchive": (Case(lambda w: {"plan_id": w.away}, ALL),),
    "memory_steps add": (
        Case(on_plan(steps=[{"task": "One more", "depends_on": [7]}])),
        Case(lambda w: {"plan_id": w.plan_id, "steps": [{"task": f"More {n}"} for n in range(w.size)]}, ALL),
    ),
    "memory_steps insert": (
        Case(lambda w: {"plan_id": w.plan_id, "at_index": w.size, "step": {"task": "Last"}}),
        Case(on_plan(at_index=0, step={"task": "First"}), ALL),
    ),
    "memory_steps update": (
        Case(on_step(5, task="Other")),
        Case(on_step(5, status="done")),
        Case(on_step(1, status="cancelled"), GATES),
        Case(on_plan(step_index=0, status="pending")),
        Case(on_step(10, status="active", agent="Ada")),
        Case(on_step(5, phase="Phase 1")),
    ),
    "memory_steps batch_update": (
        Case(on_plan(updates=[{"step_index": 3, "append_notes": "more"}, {"step_index": 4, "status": "pending"}])),
        Case(
            lambda w: {
                "plan_id": w.plan_id,
                "updates": [{"step_index": n, "append_notes": "more"} for n in range(w.size // 4)],
            },
            ALL,
        ),
    ),
    "memory_steps set_dependencies": (
        Case(on_step(5, depends_on=[3, 4])),
        Case(lambda w: {"step_id": w.step(w.size - 1), "depends_on": [w.step(w.size - 5)], "agent": "Eve"}),
        Case(lambda w: {"step_id": w.step(w.size - 1), "depends_on": list(range(200)), "agent": "Eve"}),
        Case(lambda w: {"step_id": w.step(w.size - 5), "depends_on": [w.step(w.size // 4)]}),
    ),
    "memory_steps next": (
        Case(on_plan(agent="New"), OPEN),
        Case(lambda w: {"plan_id": w.plan_id, "session_id": w.me, "step_id": w.mine, "notes": "it works"}, OPEN),
        Case(on_plan(agent="New", types=["research"]), OPEN),
    ),
    "memory_steps claim": (Case(on_step(5, agent="New")),),
    "memory_steps heartbeat": (Case(mine()),),
    "memory_steps release": (Case(mine(reason="tired")),),
    "memory_steps record_edit": (Case(mine(file_path="a.py", change_type="edit")),),
    "memory_steps delete": (
        Case(on_step(1, confirm=True), GATES),
        Case(on_plan(step_index=0, confirm=True), ALL),
        Case(on_plan(step_index=0)),
    ),
    "memory_steps reorder": (Case(on_step(5, direction="up")),),
    "memory_steps move": (
        Case(lambda w: {"plan_id": w.plan_id, "from_index": w.size - 5, "to_index": w.size - 3}),
        Case(lambda w: {"plan_id": w.plan_id, "from_index": w.size - 5, "to_index": 0}, ALL),
    ),
    "memory_steps sort": (
        Case(on_plan(), ALL),
        Case(lambda w: {"plan_id": w.plan_id, "phase_order": phases(w)[::-1]}, ALL),
    ),
    "memory_steps set_order": (Case(turned, ALL), Case(swapped, ALL)),
    "memory_steps replace": (
        Case(lambda w: {"plan_id": w.plan_id, "replacement_steps": steps_of(w.size)}, ALL),
        Case(
            lambda w: {
                "plan_id": w.plan_id,
                "confirm": True,
                "force": True,
                "agent": "Eve",
                "replacement_steps": [{"task": f"New {n}", "depends_on": [n - 1] if n else []} for n in range(w.size)],
            },
            ALL,
        ),
        Case(lambda w: {"plan_id": w.plan_id, "replacement_steps": [{"task": "Only this"}]}, ALL),
    ),
    "memory_context generate_instructions": (
        Case(on_here(target_agent="Executor", mission="Go", output_path="go.md", force=True)),
    ),
    "memory_context write_prompt": (
        Case(on_here(prompt_title="A", prompt_agent="B", prompt_description="C", output_path="go.md", force=True)),
    ),
    "memory_context dump_context": (Case(on_plan(output_path="all.json", force=True)),),
    "memory_context workspace_set": (Case(on_here(data={"purpose": "Sells boats"})),),
    "memory_context workspace_update": (Case(on_here(data={"purpose": "Sells boats"})),),
    "memory_context workspace_populate": (Case(on_here()),),
    "memory_context workspace_delete": (
        Case(
            on_here(confirm=True),
            before=(("memory_context", "workspace_set", on_here(data={"purpose": "Sells boats"})),),
        ),
    ),
    "memory_context store": (
        Case(on_plan(type="new", data={"a": 1})),
        Case(on_plan(type="kind_1", data={"a": 1}, mode="merge")),
    ),
    "memory_context batch_store": (Case(on_plan(items=[{"type": "a", "data": {}}, {"type": "kind_3", "data": {}}])),),
    "memory_context store_initial": (Case(on_plan(user_request="Make it fast")),),
    "memory_context delete": (Case(on_plan(type="kind_2", confirm=True)),),
    "memory_context knowledge_store": (
        Case(on_here(slug="new", title="New", content="Known")),
        Case(
            lambda w: {
                "workspace_id": w.here,
                "slug": "newest",
                "title": "New",
                "content": "Known",
                "supersedes": f"topic-{w.size // 10 - 1}",
            }
        ),
    ),
    "memory_context knowledge_delete": (
        Case(on_here(slug="topic-3", confirm=True)),
        Case(lambda w: {"workspace_id": w.here, "slug": f"topic-{w.size // 10 - 1}", "confirm": True}),
    ),
    "memory_context remember": (Case(on_here(key="new", value="a")), Case(on_here(key="key 1", value="b"))),
    "memory_context forget": (Case(on_here(key="key 2", confirm=True)),),
    "memory_context append_research": (
        Case(on_plan(filename="new.md", content="## A\nb\n")),
        Case(on_plan(filename="notes.md", content="## A\nb\n"), ALL),
        Case(
            lambda w: {"plan_id": w.plan_id, "filename": "more.md", "content": f"## A\n{RESEARCH_LINE}\n" * w.size}, ALL
        ),
    ),
    "memory_agent categorize": (Case(on_plan(categorization_result={"category": "bugfix"})),),
    "memory_agent init": (Case(on_plan(agent="New")), Case(on_here(agent="Bob"))),
    "memory_agent complete": (Case(as_me(summary="done")),),
    "memory_agent handoff": (
        Case(as_me(to_agent="Bob", reason="go on", pass_claims=True)),
        Case(as_me(to_agent="Bob", reason="go on")),
    ),
    "memory_agent recover": (Case(as_me()), Case(lambda w: {"session_id": w.sessions[1]})),
    "memory_program create": (Case(on_here(title="New", goals=["a"])),),
    "memory_program update": (Case(on_program(title="Other")),),
    "memory_program archive": (Case(on_program()),),
    "memory_program unarchive": (Case(on_program(), before=(("memory_program", "archive", on_program()),)),),
    "memory_program delete": (Case(on_program(confirm=True), ALL), Case(on_program(), ALL)),
    "memory_program upgrade": (Case(on_plan()), Case(lambda w: {"plan_id": w.lone})),
    "memory_program add_plan": (
        Case(lambda w: {"program_id": w.loose_id, "plan_id": w.plan_id}),
        Case(lambda w: {"program_id": w.program_id, "plan_id": w.lone}),
        Case(lambda w: {"program_id": w.program_id, "plan_id": w.plan_id}, ALL),
        Case(lambda w: {"program_id": w.loose_id, "plan_id": w.members[3], "force": True, "agent": "Eve"}),
    ),
    "memory_program remove_plan": (Case(lambda w: {"plan_id": w.members[3], "agent": "Eve"}),),
    "memory_program reorder_plans": (
        Case(lambda w: {"program_id": w.program_id, "plan_ids": w.members[::-1]}, ALL),
        Case(lambda w: {"program_id": w.program_id, "plan_ids": w.members[1:2]}, ALL),
    ),
    "memory_program link_workspace": (Case(lambda w: {"program_id": w.program_id, "workspace_id": w.there}),),
    "memory_program unlink_workspace": (
        Case(
            lambda w: {"program_id": w.program_id, "workspace_id": w.there},
            before=(
                ("memory_program", "link_workspace", lambda w: {"program_id": w.program_id, "workspace_id": w.there}),
            ),
        ),
    ),
    "memory_program set_dependency": (
        Case(ends(5, 1)),
        Case(ends(5, 4, dependency_type="informs")),
        Case(lambda w: {"program_id": w.loose_id, "target_plan_id": w.plan_id}, ALL),
        Case(lambda w: {"program_id": w.loose_id, "target_program_id": w.program_id}, ALL),
    ),
    "memory_program remove_dependency": (Case(ends(5, 4)),),
    "memory_program add_risk": (Case(on_program(risk_title="New")),),
    "memory_program update_risk": (Case(lambda w: {"risk_id": w.risk_id, "status": "resolved"}),),
    "memory_program delete_risk": (
        Case(lambda w: {"risk_id": w.risk_id, "confirm": True}),
        Case(lambda w: {"risk_id": w.risk_id}),
    ),
    "memory_program auto_detect_risks": (Case(on_program(), ALL),),
    "memory_session session_start": (Case(on_plan(agent="New")),),
    "memory_session checkpoint": (Case(on_plan(name="new", agent="New")), Case(as_me(name="new"))),
    "memory_session reserve_files": (Case(as_me(paths=["lib/"]), ALL),),
    "memory_session release_files": (
        Case(lambda w: {"session_id": w.sessions[1]}),
        Case(lambda w: {"session_id": w.sessions[1], "paths": ["src/1/"]}),
    ),
    "memory_session send_message": (Case(as_me(to_agent="Bob", content="Hello")),),
    "memory_session acknowledge": (
        Case(lambda w: {"agent": "Ada", "message_ids": [w.message_id], "workspace_id": w.here}),
    ),
    "memory_ledger decide": (
        Case(on_plan(decision="Do it", rationale="It is short", agent="Ada")),
        Case(lambda w: {"decision": "Or so", "rationale": "Shorter", "supersedes": w.decision_id, "agent": "Ada"}),
    ),
    "memory_ledger log_call": (Case(mine(tool="pytest", args={"a": 1})),),
    "memory_ledger log_calls": (Case(as_me(calls=[{"tool": "pytest", "args": {}}, {"tool": "ruff", "args": {}}])),),
    "memory_ledger start_run": (Case(on_plan(name="nightly", agent="Ada")),),
    "memory_ledger finish_run": (Case(lambda w: {"run_id": w.ledger_run_id, "metrics": {"a": 1}, "agent": "Ada"}),),
    "memory_ledger record_gate": (
        Case(mine(gate_name="tests", status="passed")),
        Case(on_plan(gate_name="tests", status="failed", agent="Ada"), PHASES),
    ),
    "memory_ledger add_artifact": (
        Case(on_plan(artifact_type="code", name="new", agent="Ada")),
        Case(on_plan(artifact_type="code", name="part 1", path="a.py", agent="Ada")),
    ),
    "memory_ledger record_metric": (Case(on_plan(name="coverage", value=1, bucket="2030-W01", agent="Ada")),),
    "memory_ledger record_metrics": (Case(on_plan(points=[{"name": "coverage", "value": 1}], agent="Ada")),),
    "memory_ledger set_progress": (
        Case(on_plan(task_name="new", percent=1, agent="Ada")),
        Case(on_plan(task_name="job 1", percent=50, agent="Ada")),
    ),
    "memory_ledger set_budget": (Case(on_plan(max=20, agent="Ada")), Case(on_plan(max=5, unit="new", agent="Ada"))),
    "memory_ledger spend": (Case(on_plan(amount=0.5, breakdown={"model": 0.5}, agent="Ada")),),
    "memory_ledger cache_set": (Case(on_here(key="new", payload={"a": 1})), Case(on_plan(key="key 1"))),
    "memory_ledger cache_clear": (Case(on_plan(key="key 1")),),
    "memory_ledger set_agent": (Case(on_here(agent="Ada", branch="new")), Case(on_here(agent="Somebody"))),
    "memory_ledger add_term": (Case(on_plan(term="new", kind="tag", agent="Ada")),),
    "memory_filesystem write": (Case(on_here(path="new.txt", content="a")), in_file("write", content="b")),
    "memory_filesystem append": (in_file("append", content="b"),),
    "memory_filesystem delete": (in_file("delete", confirm=True),),
    "memory_filesystem move": (in_file("move", destination="moved.txt"),),
    "memory_filesystem copy": (in_file("copy", destination="copied.txt"),),
    "memory_terminal run": (Case(on_here(command=VERSION[0], args=list(VERSION[1:]))),),
    "memory_terminal kill": (Case(lambda w: {"run_id": w.run_id}),),
    "memory_terminal update_allowlist": (Case(on_here(patterns=["none"], operation="remove")),),
    "memory_session prep": (Case(on_plan(agent_name="Executor", prompt="Do it", agent="Ada")),),
    "memory_session deploy_and_prep": (Case(on_plan(agent_name="Executor", prompt="Do it", agent="Ada")),),
    "memory_library create": (
        Case(on_here(kind="skill", name="new", description="d", content="Go", scope="workspace"), ALL),
    ),
    "memory_library update": (Case(on_here(kind="skill", name="way-3", description="Other")),),
    "memory_library delete": (Case(on_here(kind="skill", name="way-3", confirm=True)),),
    "memory_library reset": (
        Case(
            on_here(kind="agent", name="Worker", confirm=True),
            before=(("memory_library", "update", on_here(kind="agent", name="Worker", description="Ours")),),
        ),
    ),
    "memory_library deploy": (Case(on_here(target="claude", kinds=["skill"]), ALL),),
    "memory_library import": (Case(on_here(), ALL),),
    "memory_library assign": (Case(on_here(kind="skill", name="way-4", notes="here")),),
    "memory_library unassign": (Case(on_here(kind="skill", name="way-2")),),
}
