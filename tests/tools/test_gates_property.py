"""Every action that writes, thrown at gates of each kind by several agents: nothing behind one begins unconfirmed."""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from server.calls import run
from server.db.audit import events
from server.db.gates import gates
from server.db.plans import plans
from server.errors import ProjectMemoryError
from server.models.approvals import Word
from server.settings import Settings
from server.store import Store
from server.tools import TOOLS
from server.tools.approvals import answers
from tests.thoroughness import often

Rows = dict[str, dict[str, Any]]
GATES = ("confirmation", "user_validation", "critical")
PHASES = ("A", "B", "C", "D")
STEPS = 7
ORDERS = ((0, 1, 2, 3), (3, 0, 1, 2), (0, 3, 1, 2), (1, 2, 3, 0), (0, 2, 1, 3))
AGENTS = ("ada", "bob", None)


class World:
    """A plan with gates of every kind and one that waits for it; who they are owed to, and what a person said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store(Settings(data_root=folder / "data", synchronous="off"))
        self.owed: dict[str, set[str]] = {}
        self.said: set[str] = set()
        self.trash: list[str] = []
        self.requires = False  # gates of which no entry says that they passed
        self._seen: dict[str, Rows] = {}
        self._held: dict[str, set[str]] = {}
        self.is_archived = False  # so that what a gate holds is not among the live rows
        self.plan_id = self.other_id = self.third_id = ""
        self.programs = ["", ""]

    async def call(self, tool: str, action: str, /, **arguments: Any) -> dict[str, Any]:
        given_ = {name: value for name, value in arguments.items() if value is not None}
        return json.loads(await run(self.store, TOOLS, tool, {"action": action, **given_}))

    async def begin(self) -> None:
        project = self.folder / "project"
        project.mkdir()
        place = await self.call("memory_workspace", "register", workspace_path=str(project))
        made = {"workspace_id": place["workspace_id"], "category": "quick_task"}
        types = ("confirmation", "standard", "critical", "standard", "user_validation", "standard", "standard")
        waits = {1: [0], 3: [1], 6: [5]}
        steps = [
            {"task": f"s{at}", "type": kind, "phase": PHASES[at // 2], "depends_on": waits.get(at, [])}
            for at, kind in enumerate(types)
        ]
        phases = [{"name": name, "approval_required": name == "B"} for name in PHASES]
        plan = await self.call("memory_plan", "create", title="P", phases=phases, steps=steps, **made)
        self.plan_id = plan["plan_id"]
        other = await self.call(
            "memory_plan", "create", title="Q", steps=[{"task": "q"}], depends_on_plans=[self.plan_id], **made
        )
        self.other_id = other["plan_id"]
        third = await self.call("memory_plan", "create", title="R", steps=[{"task": "r"}], **made)
        self.third_id = third["plan_id"]
        first, second = self.programs = [
            (await self.call("memory_program", "upgrade", plan_id=plan_id))["program_id"]
            for plan_id in (self.plan_id, self.third_id)
        ]
        await self.call("memory_program", "set_dependency", program_id=second, target_program_id=first)
        self.sessions = [
            (await self.call("memory_agent", "init", agent="ada", plan_id=self.plan_id))["session_id"] for _ in "12"
        ]
        self.note(await self.rows())

    async def rows(self) -> dict[str, Rows]:
        """The live rows that decide what is held, by their ids."""
        db = await self.store.open()
        keys = {"plans": "plan_id", "phases": "phase_id", "steps": "step_id", "dependencies": "dependency_id"}
        found = {table: await db.all(f"SELECT * FROM {table}") for table in keys}
        told = {table: {row[keys[table]]: dict(row) for row in rows} for table, rows in found.items()}
        self.trash = [row[0] for row in await db.all("SELECT trash_id FROM trash ORDER BY created_at, trash_id")]
        self.is_archived = bool(await db.value("SELECT EXISTS (SELECT 1 FROM plans_archive)"))
        members = {row["plan_id"]: dict(row) for row in await db.all("SELECT * FROM program_plans")}
        given_ = await db.all("SELECT *, coalesce(step_id, phase_id) AS id FROM confirmations")
        return {**told, "members": members, "confirmations": {row["id"]: dict(row) for row in given_}}

    def note(self, rows: dict[str, Rows]) -> None:
        """Remember which unconfirmed gates hold each open step now, through whatever it waits for.

        What is in the trash or the archive is owed to the gates that held it when it was last here.
        """
        for step_id, step in rows["steps"].items():
            if step["status"] != "done" and not self.is_archived:
                held = holding(rows, ("step", step_id), set())
                self.owed[step_id] = self.owed.get(step_id, set()) | held
        self.owed = {step_id: gates_ - rows["confirmations"].keys() for step_id, gates_ in self.owed.items()}

    def held(self, rows: dict[str, Rows], step_id: str) -> set[str]:
        """Which unconfirmed gates hold a step."""
        if self._seen is not rows:
            self._seen, self._held = rows, dict[str, set[str]]()
        if step_id not in self._held:
            self._held[step_id] = holding(rows, ("step", step_id), set())
        return self._held[step_id]

    async def require(self) -> None:
        """Let a step and a phase of each plan require a gate; the phase is the one with the first steps."""
        self.requires = True
        for plan_id, index in ((self.plan_id, 3), (self.other_id, 0), (self.third_id, 0)):
            step = {"plan_id": plan_id, "step_index": index}
            await self.call("memory_steps", "update", **step, required_gates=["tests"])
        await self.call("memory_plan", "update_phase", plan_id=self.plan_id, phase="C", required_gates=["review"])

    def check_required(self, before: dict[str, Rows], after: dict[str, Rows]) -> None:
        """Nothing that requires a gate begins, is done or is completed: none of them ever passed."""
        was = before["steps"]
        for step_id, step in after["steps"].items():
            gates_ = json.loads(step["required_gates"]) + json.loads(
                after["phases"][step["phase_id"]]["required_gates"]
            )
            status = was[step_id]["status"] if step_id in was else "pending"
            is_begun = step["status"] in ("active", "done") and status not in ("active", "done")
            assert not (gates_ and is_begun and was), (step["task"], step["status"], gates_)
            is_completed = after["plans"][step["plan_id"]]["status"] == "completed"
            was_completed = before["plans"].get(step["plan_id"], {}).get("status") == "completed"
            is_held = gates_ and step["status"] not in ("done", "cancelled")
            assert not (is_held and is_completed and not was_completed), (step["task"], "was passed over")

    async def confirm(self, gate_id: str) -> None:
        """A person says yes to a gate."""
        async with (await self.store.open()).transaction() as tx:
            for gate in await gates.named(tx, [gate_id]):
                await answers.confirm(tx, gate, Word("terminal"))
                self.said.add(gate.id)
            await events.flush(tx)

    def check(self, before: dict[str, Rows], after: dict[str, Rows]) -> None:
        for given_ in after["confirmations"].values():
            assert (given_["via"], given_["id"] in self.said) == ("terminal", True)
        for step_id, step in after["steps"].items():
            was = before["steps"].get(step_id)
            if step["status"] in ("active", "done") and (was is None or was["status"] != step["status"]):
                missing = self.owed.get(step_id, set()) - after["confirmations"].keys()
                if step["status"] == "active" and step["type"] != "critical":
                    missing -= {step_id}  # it may be worked on, only not be done
                assert not missing, (step["task"], step["status"], missing)
            if step["status"] != "done" and not self.is_archived:
                held = self.held(after, step_id) | after["confirmations"].keys()
                assert self.owed.get(step_id, set()) <= held, (step["task"], "was let go of")


def holding(rows: dict[str, Rows], node: tuple[str, str], seen: set[tuple[str, str]]) -> set[str]:
    """The unconfirmed gates in front of something, by brute force."""
    if node in seen:
        return set()
    seen.add(node)
    kind, node_id = node
    found: set[str] = set()
    nexts = [
        (edge["target_type"], edge["target_id"])
        for edge in rows["dependencies"].values()
        if (edge["source_type"], edge["source_id"]) == (kind.rstrip("*"), node_id)
        and (edge["dep_type"], edge["dep_status"]) == ("blocks", "pending")
    ]
    if kind == "step" and node_id in rows["steps"]:
        step = rows["steps"][node_id]
        phase, plan = rows["phases"][step["phase_id"]], rows["plans"][step["plan_id"]]
        is_gate = step["type"] in GATES or step["requires_confirmation"] or step["requires_user_confirmation"]
        found |= {node_id} if is_gate and step["status"] not in ("done", "cancelled") else set()
        found |= {
            other["phase_id"]
            for other in rows["phases"].values()
            if other["plan_id"] == step["plan_id"] and other["order_index"] < phase["order_index"]
            and (other["approval_required"] or plan["phase_gates"])
        }  # fmt: skip
        nexts += [("phase*", phase["phase_id"]), ("plan*", plan["plan_id"])]
    if kind in ("plan", "plan*") and node_id in rows["members"]:
        nexts += [("program*", rows["members"][node_id]["program_id"])]
    if kind == "program":
        nexts += [("plan", plan_id) for plan_id, place in rows["members"].items() if place["program_id"] == node_id]
    if kind in ("phase", "plan"):
        nexts += [
            ("step", one["step_id"])
            for one in rows["steps"].values()
            if one[f"{kind}_id"] == node_id and one["status"] not in ("done", "cancelled")
        ]
    found -= rows["confirmations"].keys()
    return found.union(*(holding(rows, other, seen) for other in nexts))


STATUS = ("pending", "active", "done", "blocked", "failed", "cancelled")
TYPES = ("standard", "code", *GATES)
PLAN_STATUS = ("active", "paused", "blocked", "completed", "failed")


def arguments(world: World, which: int, a: int, b: int) -> tuple[str, str, dict[str, Any]]:
    """One call of every kind that touches plans, phases, steps and what they wait for."""
    plan = {"plan_id": {6: world.other_id, 5: world.third_id}.get(b % 7, world.plan_id)}
    program = {"program_id": world.programs[a % 2]}
    ids = (world.plan_id, world.other_id, world.third_id)
    ends = {"source_plan_id": (*ids, None)[a // 2 % 4], "target_plan_id": ids[b % 3]}
    programs = {**program, "target_program_id": world.programs[b % 2]}
    step = {**plan, "step_index": a % STEPS}
    phase, other = PHASES[a % 4], PHASES[b % 4]
    sure, force = {"confirm": True}, {"force": True if b % 2 else None}
    new = {"task": f"n{a}{b}", "phase": other, "type": TYPES[a % 5], "status": STATUS[b % 6]}
    trash = world.trash[a % len(world.trash)] if world.trash else "trash_none"
    calls: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
        ("memory_steps", "next", plan),
        ("memory_steps", "next", step),
        ("memory_steps", "claim", {**step, **force}),
        ("memory_steps", "release", {**step, **force}),
        ("memory_steps", "update", {**step, "status": STATUS[b % 6], **force}),
        ("memory_steps", "update", {**step, "type": TYPES[b % 5], **force}),
        ("memory_steps", "update", {**step, "phase": other, "status": STATUS[a % 6] if b % 2 else None, **force}),
        ("memory_steps", "batch_update", {**plan, "updates": [
            {"step_index": a % STEPS, "status": STATUS[b % 6]}, {"step_index": b % STEPS, "phase": phase}], **force}),
        ("memory_steps", "add", {**plan, "steps": [new]}),
        ("memory_steps", "insert", {**plan, "at_index": a % STEPS, "step": new}),
        ("memory_steps", "delete", {**step, **sure, **force}),
        ("memory_steps", "replace", {**plan, **sure, "replacement_steps": [
            {"task": f"s{a % STEPS}", "phase": other}, {"task": f"s{b % STEPS}", "type": TYPES[a % 5]}], **force}),
        ("memory_steps", "move", {**plan, "from_index": a % STEPS, "to_index": b % STEPS, **force}),
        ("memory_steps", "sort", {**plan, "phase_order": [phase]}),
        ("memory_steps", "set_dependencies", {**step, "depends_on": [b % STEPS] if b % 2 else [], **force}),
        ("memory_plan", "update", {**plan, "status": PLAN_STATUS[b % 5], **force}),
        ("memory_plan", "update", {**plan, "phase_gates": bool(b % 2)}),
        ("memory_plan", "update_phase", {**plan, "phase": phase, "approval_required": bool(b % 2)}),
        ("memory_plan", "add_phase", {**plan, "name": f"N{a}", "at_index": b % 3, "approval_required": bool(a % 2)}),
        ("memory_plan", "reorder_phases", {**plan, "phase_order": [PHASES[at] for at in ORDERS[a % len(ORDERS)]]}),
        ("memory_plan", "delete_phase", {**plan, "phase": phase, **sure, **force}),
        ("memory_plan", "delete_phase", {**plan, "phase": phase, "move_steps_to": other, **sure, **force}),
        ("memory_plan", "set_plan_dependencies", {"plan_id": world.other_id, "depends_on_plans":
            [world.plan_id] if b % 2 else []}),
        ("memory_plan", "confirm", {**step, "confirmation_scope": "step", "revoke": True if b % 3 == 0 else None}),
        ("memory_plan", "confirm", {**plan, "confirmation_scope": "phase", "confirm_phase": phase}),
        ("memory_plan", "archive", {**plan, **force}),
        ("memory_plan", "unarchive", plan),
        ("memory_plan", "clone_plan", {**plan, "reset_steps": bool(b % 2)}),
        ("memory_plan", "consolidate", {**plan, **sure, "step_indices": [a % STEPS, a % STEPS + 1],
            "consolidated_task": f"c{a}", **force}),
        ("memory_plan", "merge_plans", {"target_plan_id": world.plan_id, "source_plan_ids": [world.other_id],
            "archive_sources": bool(b % 2), **force}),
        ("memory_agent", "handoff", {**plan, "to_agent": "bob", "reason": "r", "pass_claims": True}),
        ("memory_plan", "delete", {"plan_id": world.other_id if b % 2 else world.plan_id, **sure, **force}),
        ("memory_workspace", "restore", {"trash_id": trash}),
        ("memory_workspace", "restore", {"trash_id": trash}),  # as often as things are deleted
        ("memory_program", "add_plan", {**program, "plan_id": ids[b % 3], **force}),
        ("memory_program", "remove_plan", {"plan_id": ids[b % 3]}),
        ("memory_program", "set_dependency", {**program, **ends, "dependency_type": ("blocks", "informs")[b // 3 % 2]}),
        ("memory_program", "set_dependency", {**programs, "dependency_type": ("blocks", "informs")[b // 3 % 2]}),
        ("memory_program", "remove_dependency", {**program, **ends}),
        ("memory_program", "remove_dependency", programs),
        ("memory_program", "delete", {**program, **sure}),
        ("memory_program", ("archive", "unarchive")[b % 2], program),
        ("memory_program", "upgrade", {"plan_id": ids[b % 3]}),
    )  # fmt: skip
    return calls[which % len(calls)][0], calls[which % len(calls)][1], dict(calls[which % len(calls)][2])


async def play(folder: Path, moves: list[tuple[int, int, int, int]], *, requires: bool = False) -> None:
    world = World(folder)
    try:
        await world.begin()
        if requires:
            await world.require()
        before = await world.rows()
        for which, a, b, who in moves:
            if who == 4:
                ids = [*before["steps"], *before["phases"]]
                await world.confirm(ids[(a * 7 + b) % len(ids)] if ids else "")  # nothing is live while all is archived
            else:
                tool, action, given_ = arguments(world, which, a, b)
                actor = {"session_id": world.sessions[who]} if who < 2 else {"agent": AGENTS[who - 2]}
                with suppress(ProjectMemoryError):  # most calls are refused, for one reason or another
                    await world.call(tool, action, **given_, **actor)
            after = await world.rows()
            world.check(before, after)
            if requires:
                world.check_required(before, after)
            assert await plans.miscounted(await world.store.open()) == []
            world.note(after)
            before = after
    finally:
        await world.store.close()


def moves(kinds: st.SearchStrategy[int]) -> st.SearchStrategy[list[tuple[int, int, int, int]]]:
    return st.lists(
        st.tuples(kinds, st.integers(0, 20), st.integers(0, 20), st.integers(0, 4)), min_size=10, max_size=40
    )


KINDS = 43
# What takes something away, changes what is left, brings it back, and begins it: rarely together among all others.
AWAY_AND_BACK = (4, 10, 14, 19, 20, 28, 32, 33)

# Plans that come and go with programs, and what these wait for; a step of each begins.
TOGETHER = (1, 4, 10, 25, 26, *range(31, 43))


def throw(seeded: Path, thrown: list[Any], *, requires: bool = False) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        (folder / "data").mkdir(mode=0o700)
        shutil.copy(seeded, folder / "data" / seeded.name)
        asyncio.run(play(folder, thrown, requires=requires))
    finally:
        shutil.rmtree(folder)


@settings(max_examples=often(40, usual=12))
@given(thrown=moves(st.integers(0, KINDS - 1)))
@example(thrown=[(1, 0, 6, 0), (25, 0, 0, 0), *[(0, 0, 0, 0)] * 7, (1, 0, 20, 0), (26, 0, 0, 0)])  # asked again
def test_nothing_behind_an_unconfirmed_gate_is_ever_begun_or_done(seeded: Path, thrown: list[Any]) -> None:
    throw(seeded, thrown)


@settings(max_examples=often(30, usual=10))
@given(thrown=moves(st.sampled_from(AWAY_AND_BACK)))
@example(thrown=[(10, 6, 0, 0), (19, 1, 0, 0), (32, 0, 0, 0)])  # a step goes, its phase moves past the gate, it is back
@example(thrown=[(10, 3, 0, 0), (10, 1, 0, 0), (32, 0, 0, 0)])  # back without what led to its gate
def test_nothing_that_comes_back_comes_back_in_front_of_its_gate(seeded: Path, thrown: list[Any]) -> None:
    throw(seeded, thrown)


@settings(max_examples=often(40, usual=12))
@given(thrown=moves(st.sampled_from(TOGETHER)))
@example(thrown=[(35, 0, 0, 0), (1, 0, 5, 0)])  # the plan with the gates leaves the program that is waited for
@example(thrown=[(35, 0, 2, 0), (1, 0, 5, 0)])  # the plan that waits leaves its program
@example(thrown=[(40, 1, 0, 0), (1, 0, 5, 0)])  # the program that waits is deleted
@example(thrown=[(40, 0, 0, 0), (1, 0, 5, 0)])  # the program that is waited for is deleted
@example(thrown=[(25, 0, 5, 0), (35, 0, 2, 0), (26, 0, 5, 0), (1, 0, 5, 0)])  # it leaves while it is in the archive
@example(thrown=[(25, 0, 5, 0), (40, 1, 0, 0), (26, 0, 5, 0), (1, 0, 5, 0)])  # its program goes meanwhile
def test_no_program_lets_go_of_what_a_gate_holds(seeded: Path, thrown: list[Any]) -> None:
    throw(seeded, thrown)


@settings(max_examples=often(40, usual=12))
@given(thrown=moves(st.integers(0, KINDS - 1)))
@example(thrown=[(15, 0, 5, 0), (15, 0, 17, 0)])  # completed by force
@example(thrown=[(4, 0, 5, 0), (15, 3, 6, 0), (15, 3, 3, 0)])
def test_nothing_that_requires_a_gate_is_begun_done_or_completed_before_it_passed(
    seeded: Path, thrown: list[Any]
) -> None:
    throw(seeded, thrown, requires=True)


def test_the_moves_are_as_many_as_are_drawn(tmp_path: Path) -> None:
    world = World(tmp_path)
    kinds = [arguments(world, which, 0, 0)[:2] for which in range(KINDS + 8)]
    assert kinds[:8] == kinds[KINDS:]
    assert {kinds[at][1] for at in AWAY_AND_BACK} >= {"delete", "delete_phase", "restore", "reorder_phases"}
