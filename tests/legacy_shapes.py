"""What the old program and its ancestors wrote and a reader of their stores must cope with, by name."""

from collections.abc import Callable

from tests import legacy_store as legacy
from tests.legacy_store import LEGACY_WORKSPACE, Json, Maker


def interleaved_phases(m: Maker) -> None:
    """Steps whose phases take turns: the order is that of the indices."""
    state = legacy.plan(m, steps=6, phases=2)
    for n, step in enumerate(state["steps"]):
        step["phase"] = f"Phase {n % 2 + 1}"
    legacy.add_plan(m, state | {"steps": state["steps"][::-1]})


def steps_without_index(m: Maker) -> None:
    state = legacy.plan(m, steps=4)
    for step in state["steps"]:
        del step["index"]
        step.pop("depends_on", None)
    legacy.add_plan(m, state)


def steps_with_the_same_index(m: Maker) -> None:
    state = legacy.plan(m, steps=4)
    for step in state["steps"][1:3]:
        step["index"] = 1
    legacy.add_plan(m, state)


def indices_from_one_with_gaps(m: Maker) -> None:
    state = legacy.plan(m, steps=3)
    for step, index in zip(state["steps"], (1, 5, 20), strict=True):
        step["index"] = index
    state["steps"][2]["depends_on"] = [1, 5, 77]
    state["confirmation_state"] = {"phases": {}, "steps": {"20": legacy.confirmed(m), "9": legacy.confirmed(m)}}
    legacy.add_plan(m, state)


def indices_as_text(m: Maker) -> None:
    state = legacy.plan(m, steps=3)
    for step in state["steps"]:
        step["index"] = str(step["index"])
        step["depends_on"] = ["0"] if step["index"] != "0" else []
    legacy.add_plan(m, state)


def steps_that_wait_for_themselves(m: Maker) -> None:
    state = legacy.plan(m, steps=3)
    for step, waits in zip(state["steps"], ([0], [2], [1]), strict=True):
        step["depends_on"] = waits
    legacy.add_plan(m, state)


def steps_without_phase(m: Maker) -> None:
    state = legacy.plan(m, steps=3)
    del state["steps"][0]["phase"]
    state["steps"][1]["phase"] = ""
    legacy.add_plan(m, state)


def phases_that_are_not_listed(m: Maker) -> None:
    """Version 2: a step names a phase that `phases` lacks, and a listed one has no steps and comes first."""
    state = legacy.plan_v2(m, steps=4, phases=2)
    state["steps"][3]["phase"] = "Hotfix"
    state["phases"].insert(0, {"name": "Empty", "sequence": 9, "success_criteria": []})
    legacy.add_plan(m, state)


def unknown_values(m: Maker) -> None:
    """Statuses, types, categories, priorities, agents and fields that no list has."""
    state = legacy.plan(m, steps=3, status="failed", category="program", priority="P1", workflow_mode="tdd_cycle")
    state["steps"][0] |= {"status": "complete", "type": "critical", "assignee": "PromptAnalyst"}
    state["steps"][1] |= {"status": "in_progress", "type": "never_heard_of", "colour": {"r": 1, "names": ["a", None]}}
    state["agent_sessions"] = [legacy.session(m) | {"agent_type": "unknown", "mood": "good"}]
    state["lineage"] = [legacy.handover(m) | {"from_agent": "User", "to_agent": "Hub", "weight": 10.0}]
    legacy.add_plan(m, state | {"x_custom": {"b": 1, "a": [1.0, 1, "1"]}, "paused_at_snapshot": {"at": m.time()}})


def blocked_and_paused(m: Maker) -> None:
    legacy.add_plan(m, legacy.plan(m, status="blocked", pre_plan_build_status="passing"))
    legacy.add_plan(
        m, legacy.plan(m, status="paused", paused_at_snapshot={"phase": "x", "step_index": 1, "reason": "r"})
    )
    legacy.add_plan(m, legacy.plan(m, status="complete", completed_at=m.time()))


def empty_and_null_fields(m: Maker) -> None:
    state = legacy.plan(m, steps=2, description="", goals=None, success_criteria=[], pending_notes=None)
    state["steps"][0] |= {"notes": "", "assignee": None, "depends_on": None, "completed_at": None}
    legacy.add_plan(m, state | {"program_id": None, "confirmation_state": None, "categorization": {}})


def recovered_stubs(m: Maker) -> None:
    """What a recovery left: a plan of few fields, and one for the archive folder itself, which is none."""
    for plan_id, path in [(m.id("plan"), None), ("_archived", "plans/_archived/state.json")]:
        stub: Json = {"id": plan_id, "workspace_id": m.workspace_id, "title": f"Recovered plan: {plan_id}"}
        stub |= {"status": "archived", "created_at": m.time(), "updated_at": m.time(), "steps": []}
        m.put(m.here(path or f"plans/{plan_id}/state.json"), stub | {"notes": ["This plan was recovered: schön."]})


def archived_by_place_alone(m: Maker) -> None:
    legacy.add_plan(m, legacy.plan(m, status="active"), archived=True)
    legacy.add_plan(m, legacy.plan(m, status="archived", archived_at=m.time()))


def plan_in_two_places(m: Maker) -> None:
    """The archived copy is the newer one."""
    old = legacy.plan(m, steps=1)
    legacy.add_plan(m, old)
    legacy.add_plan(m, old | {"title": "Newer", "updated_at": m.time()}, archived=True)


def folders_of_other_names(m: Maker) -> None:
    for name in ("my plan (2)", "größe-計画", "plan_x"):
        state = legacy.plan(m)
        legacy.add_company(m, state, legacy.add_plan(m, state, folder=name))
    legacy.add_plan(m, legacy.plan(m) | {"id": ""}, folder=m.id("plan"))


def plan_id_instead_of_id(m: Maker) -> None:
    state = legacy.plan(m)
    m.put(m.here(f"plans/{state['id']}/state.json"), {"plan_id": state.pop("id"), **state})


def other_workspace_ids(m: Maker) -> None:
    """Files that name the workspace by an id it had before, or by one that nobody knows."""
    legacy.add_plan(m, legacy.plan(m, workspace_id=LEGACY_WORKSPACE))
    state = legacy.plan(m, workspace_id="nobody-000000000000")
    path = legacy.add_plan(m, state)
    m.put(f"{path}/review.json", legacy.envelope(m, "review", state) | {"workspace_id": LEGACY_WORKSPACE})


def context_of_every_kind(m: Maker) -> None:
    """Types that collide once renamed, flat ones, ones without envelope, lists, and a bare value."""
    state = legacy.plan(m)
    path = legacy.add_plan(m, state)
    for kind in ("research", "research_findings", "review", "review_findings", "phase4_build_guidance"):
        m.put(f"{path}/{kind}.json", legacy.envelope(m, kind, state))
    flat: Json = {"plan_id": state["id"], "workspace_id": m.workspace_id, "attempts": 3, "stored_at": m.time()}
    for kind in ("builder_regression_failure", "worker_limit_exceeded", "tdd_cycle_state"):
        m.put(f"{path}/{kind}.json", {"type": kind} | flat)
    m.put(f"{path}/named_otherwise.json", legacy.envelope(m, "architecture", state))
    m.put(f"{path}/bare_list.json", [1, "two", {"three": 3.0}])
    m.put(f"{path}/bare_text.json", "only text")
    m.put(f"{path}/dumps/one-context-dump.json", {"dumped": True})
    m.put(f"{path}/Größe & co.json", legacy.envelope(m, "Größe & co", state))


def open_runs(m: Maker) -> None:
    """A session and a run that nobody closed."""
    state = legacy.plan(m, status="active")
    left: Json = {"session_id": m.id("sess"), "agent_type": "Executor", "started_at": m.time(), "context": {}}
    state["agent_sessions"] = [left]
    path = legacy.add_plan(m, state)
    m.put(f"{path}/active_run_lane.json", legacy.lane(m, state, "active"))


def research_of_every_name(m: Maker) -> None:
    path = legacy.add_plan(m, legacy.plan(m))
    for name in ("plain.md", "note.txt", "no-extension", "größe 計画 (1).md", "a'b&c;d.md", ".hidden.md", "empty.md"):
        m.files[f"{path}/research_notes/{name}"] = b"" if name == "empty.md" else f"# {m.text()}\r\n".encode()
    m.files[f"{path}/research_notes/deep/er/note.md"] = b"deep"
    m.files[m.here("research/overview.md")] = b"# Of the workspace\n"


def prompts_and_investigations(m: Maker) -> None:
    state = legacy.plan(m)
    path = legacy.add_plan(m, state)
    m.files[f"{path}/prompts/a.prompt.md"] = legacy.PROMPT.format('things: "quoted"', state["id"]).encode()
    m.files[f"{path}/prompts/b.prompt.md"] = b"no front matter\n"
    m.files[f"{path}/prompts/c.prompt.md"] = b"---\nagent: x\nnever closed\n"
    found: Json = {"id": m.id("inv"), "plan_id": state["id"], "title": m.text(), "description": "", "status": "active"}
    found |= {"current_phase": "recon", "phases": [{"phase": "intake", "status": "done", "notes": m.text()}]}
    m.put(f"{path}/investigations/{found['id']}/state.json", found | {"created_at": m.time(), "updated_at": m.time()})


def knowledge_of_every_kind(m: Maker) -> None:
    m.put(m.here("knowledge/plain.json"), legacy.knowledge(m, "plain") | {"x_field": [1]})
    m.put(m.here("knowledge/named.json"), legacy.knowledge(m, "other-slug"))
    m.put(m.here("knowledge/again.json"), legacy.knowledge(m, "plain"))
    m.put(m.here("knowledge/no-slug.json"), {"title": "No slug", "content": "x"})
    m.files[m.here("knowledge/from-markdown.md")] = b"# A title\n\nText.\n"


def programs_of_version_1(m: Maker) -> None:
    """One child is missing, one names the program without being listed, one names it by the older field."""
    first, second = legacy.plan(m), legacy.plan(m)
    own = legacy.program_v1(m, [first, second | {"depends_on_plans": [first["id"]]}])
    legacy.add_plan(m, legacy.plan(m, program_id=own["id"]))
    legacy.add_plan(m, legacy.plan(m, parent_program_id=own["id"]))
    listed = [*own["child_plan_ids"], "plan_missing_00000000"]
    m.put(m.here(f"plans/{own['id']}/state.json"), own | {"child_plan_ids": listed})


def programs_of_version_2(m: Maker) -> None:
    """One has all its files, one only the first, one a file that another writer wrapped in an object."""
    plans = [legacy.plan_v2(m) for _ in range(3)]
    program_id = legacy.program(m, [*(one["id"] for one in plans), "plan_missing_00000000"])
    for one in plans:
        legacy.add_plan(m, one | {"program_id": program_id})
    bare = legacy.program(m, [])
    for name in ("manifest", "dependencies", "risks"):
        del m.files[m.here(f"programs/{bare}/{name}.json")]
    odd = legacy.program(m, [plans[0]["id"]])
    m.put(m.here(f"programs/{odd}/dependencies.json"), {"dependencies": []})
    legacy.add_plan(m, legacy.plan(m, program_id="prog_nowhere_00000000"))


def plans_that_wait_for_plans(m: Maker) -> None:
    """For a known one, for one that is not there, for itself, and in a circle."""
    first, second, third = legacy.plan(m), legacy.plan(m), legacy.plan(m)
    legacy.add_plan(m, first | {"depends_on_plans": [second["id"], "plan_missing_00000000"]})
    legacy.add_plan(m, second | {"depends_on_plans": [first["id"]]})
    legacy.add_plan(m, third | {"depends_on_plans": [third["id"], first["id"]]})


def odd_times(m: Maker) -> None:
    state = legacy.plan(m, steps=3, created_at="2026-01-05T09:00:00.1Z", updated_at="2026-01-05T10:00:00+02:00")
    for step, moment in zip(state["steps"], ("2026-01-05 09:00:00", "2026-01-05", 1767603600.5), strict=True):
        step |= {"status": "done", "completed_at": moment}
    state["lineage"] = [
        legacy.handover(m) | {"timestamp": "yesterday"},
        legacy.handover(m) | {"timestamp": 1767603600000},
    ]
    legacy.add_plan(m, state)


def numbers_of_every_class(m: Maker) -> None:
    values: Json = {"one": 1, "float": 1.0, "tiny": 1e-9, "big": 12345678901234567890, "minus": -0.0, "exp": 1e22}
    state = legacy.plan(m)
    path = legacy.add_plan(m, state | {"x_numbers": values})
    m.put(f"{path}/review.json", legacy.envelope(m, "review", state) | {"data": values})


def long_texts(m: Maker) -> None:
    state = legacy.plan(m, steps=40, phases=7)
    state["steps"][3]["notes"] = m.text(40) * 400
    path = legacy.add_plan(m, state)
    m.put(
        f"{path}/execution_log.json", legacy.envelope(m, "execution_log", state) | {"data": {"text": m.text(9) * 9000}}
    )


def repeated_entries(m: Maker) -> None:
    """The same hand-off, note and session twice over, as a writer that was cut off repeats them."""
    state = legacy.plan(m)
    state["lineage"] = [legacy.handover(m)] * 2
    state["agent_sessions"] = [legacy.session(m)] * 2
    note = {"note": "Twice", "type": "info", "added_at": m.time(), "added_by": "user"}
    legacy.add_plan(m, state | {"pending_notes": [note, note, "a note as plain text", {"content": "older field"}]})


def events_of_every_kind(m: Maker) -> None:
    made = legacy.event(m)
    m.put(f"events/{made['id']}.json", made)
    other = legacy.event(m, event_type="older_field")
    del other["type"]
    m.put(f"events/{other['id']}.json", other)
    m.files["events/notes.txt"] = b"not an event\n"


def logs_of_every_kind(m: Maker) -> None:
    m.files["logs/process-audit.log"] = b"line\n" * 40
    m.files["logs/empty.log"] = b""
    m.files["logs/latin.log"] = "gr\u00f6\u00dfe\n".encode("latin-1")
    m.files[m.here("logs/server.log")] = b"2026-01-05 started\n"
    m.put(m.here("update_log.json"), [{"timestamp": m.time(), "action": "created", "data": {"n": 1}}])


def other_folders(m: Maker) -> None:
    """Folders that are no workspaces, and a second workspace below the first."""
    m.put("ghost-app-123456789abc/plans/plan_ghost_00000000/state.json", legacy.plan(m))
    m.put("ws_nonexistent/workspace.meta.json", {"workspace_id": "ws_nonexistent"})
    other = Maker(m.seed, "sub_app-aaaabbbbcccc")
    legacy.add_plan(other, legacy.plan(other))
    path = f"{legacy.WORKSPACE_PATH}\\Sub"
    legacy.add_workspace(other, workspace_path=path, path=path, name="Sub", parent_workspace_id=m.workspace_id)
    m.files |= other.files


def identity(m: Maker) -> None:
    found: Json = {"schema_version": "1.0.0", "workspace_id": m.workspace_id, "workspace_path": legacy.WORKSPACE_PATH}
    found |= {"data_root": "C:\\data", "created_at": m.time(), "updated_at": m.time(), "project_mcps": []}
    m.put(".projectmemory/identity.json", found)


def odd_sections(m: Maker) -> None:
    """Set by `legacy_store.add_workspace` last, so this is a workspace of its own."""
    other = Maker(m.seed, "old_app-ddddeeeeffff")
    legacy.add_workspace(other, workspace_path="/home/someone/old-app", path="/home/someone/old-app", name="old-app")
    found = legacy.workspace_context(other, 2) | {"sections": {"purpose": {"items": ["as text", "again"]}, "x": "text"}}
    other.put(other.here("workspace.context.json"), found)
    m.files |= other.files


SHAPES: dict[str, Callable[[Maker], None]] = {
    shape.__name__: shape
    for shape in (
        interleaved_phases,
        steps_without_index,
        steps_with_the_same_index,
        indices_from_one_with_gaps,
        indices_as_text,
        steps_that_wait_for_themselves,
        steps_without_phase,
        phases_that_are_not_listed,
        unknown_values,
        blocked_and_paused,
        empty_and_null_fields,
        recovered_stubs,
        archived_by_place_alone,
        plan_in_two_places,
        folders_of_other_names,
        plan_id_instead_of_id,
        other_workspace_ids,
        context_of_every_kind,
        open_runs,
        research_of_every_name,
        prompts_and_investigations,
        knowledge_of_every_kind,
        programs_of_version_1,
        programs_of_version_2,
        plans_that_wait_for_plans,
        odd_times,
        numbers_of_every_class,
        long_texts,
        repeated_entries,
        events_of_every_kind,
        logs_of_every_kind,
        other_folders,
        identity,
        odd_sections,
    )
}
