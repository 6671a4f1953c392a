"""Claims, dependencies, gates, order and leases against a small model, with a clock that the test turns."""

import asyncio
import json
import shutil
import tempfile
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from server.calls import run
from server.db.gates import gates
from server.db.storage.migrations import migrate
from server.db.storage.opening import open_database
from server.errors import ProjectMemoryError
from server.models.approvals import Word
from server.settings import ASSETS, Settings
from server.store import Store
from server.tools import TOOLS
from server.tools.approvals import answers
from tests.populated_store import started_once
from tests.thoroughness import often

START = datetime(2030, 1, 1, tzinfo=UTC)
LEASE = 100
AGENTS = st.sampled_from(["ada", "bob", "eve"])
STEPS = st.integers(0, 6)
GATES = ("critical", "confirmation")
OPEN_STATUS = ("pending", "active", "blocked", "failed")


@dataclass
class Step:
    """What the model knows of a step."""

    name: str
    phase: int
    type: str
    status: str = "pending"
    holder: str | None = None
    expires: float = 0
    token: int = 0
    done_by: str | None = None
    waits: set[str] = field(default_factory=set[str])
    confirmed: bool = False
    step_id: str = ""

    @property
    def closed(self) -> bool:
        return self.status in ("done", "cancelled")


class VirtualStore(Store):
    """A store whose database goes by the test's clock."""

    def __init__(self, folder: Path, clock: Any) -> None:
        super().__init__(Settings(data_root=folder, synchronous="off"))
        self._clock = clock

    async def open(self) -> Any:
        if self._db is None:
            self._db = await open_database(self.settings.database, synchronous="off", clock=self._clock)
            await migrate(self._db, ASSETS / "migrations")
            await gates.watch(self._db)
        return self._db


class Claims(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.folder = Path(tempfile.mkdtemp())
        (self.folder / "data").mkdir(mode=0o700)
        shutil.copy(started_once(), self.folder / "data")
        self.loop = asyncio.new_event_loop()
        self.store = VirtualStore(self.folder / "data", lambda: START + timedelta(seconds=self.now))
        self.order: list[Step] = []
        self.gate_open = False

    def teardown(self) -> None:
        self.loop.run_until_complete(self.store.close())
        self.loop.close()
        shutil.rmtree(self.folder)

    def call(self, tool: str, action: str, /, **arguments: Any) -> dict[str, Any]:
        """Run a call; a failed one gives `{"code": ...}`."""
        given = {"action": action, **{name: value for name, value in arguments.items() if value is not None}}
        try:
            return json.loads(self.loop.run_until_complete(run(self.store, TOOLS, tool, given)))
        except ProjectMemoryError as error:
            return {"code": error.code}

    def steps(self, action: str, **arguments: Any) -> dict[str, Any]:
        return self.call("memory_steps", action, **arguments)

    @initialize(
        types=st.lists(st.sampled_from(["standard", "standard", "critical", "confirmation"]), min_size=7, max_size=7)
    )
    def make_plan(self, types: list[str]) -> None:
        project = self.folder / "project"
        project.mkdir()
        workspace = self.call("memory_workspace", "register", workspace_path=str(project))
        self.order = [Step(f"s{i}", int(i > 3), kind) for i, kind in enumerate(types)]
        phases = [
            {
                "name": f"P{number}",
                "approval_required": number == 0,
                "steps": [{"task": s.name, "type": s.type} for s in self.order if s.phase == number],
            }
            for number in (0, 1)
        ]
        plan = self.call(
            "memory_plan",
            "create",
            workspace_id=workspace["workspace_id"],
            title="P",
            category="quick_task",
            phases=phases,
        )
        self.plan_id = plan["plan_id"]
        whole = self.call("memory_plan", "get", plan_id=self.plan_id, detail="full")
        self.phase_id = whole["phases"][0]["phase_id"]
        for step, step_id in zip(self.order, plan["step_ids"], strict=True):
            step.step_id = step_id

    def live(self, step: Step) -> bool:
        return step.holder is not None and step.expires > self.now

    def reason(self, step: Step) -> str | None:
        """Why an open step is not eligible."""
        if step.status in ("blocked", "failed"):
            return step.status
        if step.status == "active" and self.live(step):
            return "held"
        if any(not other.closed for other in self.order if other.name in step.waits):
            return "dependency"
        if step.phase == 1 and not self.gate_open:
            return "phase_confirmation"
        if step.type == "critical" and not step.confirmed:
            return "confirmation"
        return None

    def eligible(self) -> list[Step]:
        return [step for step in self.order if not step.closed and self.reason(step) is None]

    def refused(self, step: Step, who: str, token: int | None, force: bool) -> bool:
        """Whether a write of `who` to the step is someone else's to make."""
        if token is not None:
            return token != step.token
        return self.live(step) and step.holder != who and not force

    def forced(self, step: Step, who: str, token: int | None, force: bool) -> bool:
        return force and token is None and self.live(step) and step.holder != who

    def take(self, step: Step, who: str, lease: int = LEASE) -> None:
        step.status, step.holder, step.expires, step.token = "active", who, self.now + lease, step.token + 1

    def reopen(self, step: Step) -> None:
        step.confirmed, step.done_by = False, None
        if step.phase == 0:
            self.gate_open = False

    def held(self) -> dict[str, set[str]]:
        """The unconfirmed gates that hold each step, be it through others."""
        steps = {step.name: step for step in self.order}

        def gates(step: Step) -> set[str]:
            found = {step.name} if step.type in GATES and not step.confirmed and step.status != "cancelled" else set()
            found |= {"P0"} if step.phase == 1 and not self.gate_open else set()
            waits = [steps[name] for name in step.waits if not steps[name].closed]
            return found.union(*(gates(other) for other in waits))

        return {name: gates(step) for name, step in steps.items()}

    def opens(self, before: dict[str, set[str]], old: dict[str, Step]) -> bool:
        """Whether what was done since lets something go on that an unconfirmed gate held."""
        after = self.held()
        unconfirmed = {step.name for step in self.order if not step.confirmed}
        unconfirmed |= set() if self.gate_open else {"P0"}
        return any(self.is_let_go(step, old[step.name], before, after, unconfirmed) for step in self.order)

    def is_let_go(
        self,
        step: Step,
        old: Step,
        before: dict[str, set[str]],
        after: dict[str, set[str]],
        unconfirmed: set[str],
    ) -> bool:
        was, now, own = before[step.name] & unconfirmed, after[step.name] & unconfirmed, {step.name}
        if step.status != old.status and step.status == "done":
            return bool(was | now)
        if step.status != old.status and step.status == "active":
            return bool((was | now) - (own if step.type == "confirmation" else set()))
        return old.status != "done" and bool(was - now)  # a cancelled step may be opened again, and be done then

    def set_status(self, step: Step, who: str, status: str, token: int | None, force: bool) -> str | None:
        """Change a status in the model; return the code of the refusal, if there is one."""
        if self.refused(step, who, token, force):
            return "conflict"
        forced = self.forced(step, who, token, force)
        if status == step.status and not forced:
            return None
        if status == "active":
            reason = self.reason(step if step.status == "active" else replace(step, status="pending"))
            if reason and not (reason == "held" and (forced or token)):
                return "gated" if "confirmation" in reason else "conflict"
        before, old, gate_open = self.held(), {s.name: replace(s) for s in self.order}, self.gate_open
        was_closed = step.closed
        if status == "active":
            self.take(step, who, 900)
        else:
            step.status, step.holder, step.token = status, None, step.token + forced
            step.done_by = who if status == "done" else None
        if was_closed and not step.closed:
            self.reopen(step)
        if self.opens(before, old):
            self.restore(old, gate_open)
            return "gated"
        return None

    def restore(self, old: dict[str, Step], gate_open: bool) -> None:
        self.gate_open = gate_open
        for step in self.order:
            step.__dict__.update(old[step.name].__dict__)

    @rule(who=AGENTS, finish=st.none() | STEPS, with_token=st.booleans())
    def next_step(self, who: str, finish: int | None, with_token: bool) -> None:
        step = self.order[finish] if finish is not None else None
        token = step.token if step and with_token and step.token else None
        answer = self.steps(
            "next",
            plan_id=self.plan_id,
            agent=who,
            lease_seconds=LEASE,
            step_id=step and step.step_id,
            claim_token=token,
        )
        refusal = None
        if step and step.closed:
            refusal = "conflict" if step.done_by not in (None, who) else None
        elif step:
            refusal = self.set_status(step, who, "done", token, force=False)
        assert answer.get("code") == refusal
        if refusal is None:
            self.check_given(who, answer)

    def check_given(self, who: str, answer: dict[str, Any]) -> None:
        mine = next((s for s in self.order if s.status == "active" and s.holder == who), None)
        if mine:
            if not self.live(mine):
                mine.expires = self.now + LEASE
            expected: Step | None = mine
        else:
            expected = next(iter(self.eligible()), None)
            if expected:
                self.take(expected, who)
        assert answer.get("next", {}).get("step_id") == (expected and expected.step_id)
        if expected:
            assert answer["next"]["claim_token"] == expected.token
        assert answer["remaining"] == sum(not s.closed for s in self.order)
        if expected is None:
            open_steps = [s for s in self.order if not s.closed]
            counts: dict[str, int] = {}
            for s in open_steps:
                counts[self.reason(s) or ""] = counts.get(self.reason(s) or "", 0) + 1
            assert answer.get("waiting", {}).get("counts", {}) == counts

    @rule(who=AGENTS, at=STEPS, force=st.booleans())
    def claim(self, who: str, at: int, force: bool) -> None:
        step = self.order[at]
        answer = self.steps("claim", step_id=step.step_id, agent=who, lease_seconds=LEASE, force=force or None)
        refusal = self.claim_in_model(step, who, force=force)
        assert answer.get("code") == refusal
        if refusal is None:
            assert answer["claim_token"] == step.token

    def claim_in_model(self, step: Step, who: str, *, force: bool) -> str | None:
        if self.refused(step, who, None, force):
            return "conflict"
        if step.status == "active" and step.holder == who:
            step.expires = self.now + LEASE
            return None
        if step.closed:
            return "conflict"
        reason = self.reason(step)
        if reason and not (reason == "held" and force):
            return "gated" if "confirmation" in reason else "conflict"
        self.take(step, who)
        return None

    @rule(who=AGENTS, at=STEPS, old=st.integers(0, 2))
    def heartbeat(self, who: str, at: int, old: int) -> None:
        """Renew with the current token, an older one, or by name."""
        step = self.order[at]
        token = (step.token - old + 1 if old else None) if step.token - old + 1 >= 1 else None
        answer = self.steps("heartbeat", step_id=step.step_id, agent=who, lease_seconds=LEASE, claim_token=token)
        named = token is not None or step.holder == who
        if self.refused(step, who, token, force=False) or step.holder is None or not named:
            assert answer == {"code": "conflict"}
        else:
            step.expires = self.now + LEASE
            assert answer["claim_token"] == step.token

    @rule(
        who=AGENTS,
        at=STEPS,
        status=st.sampled_from(["pending", "blocked", "failed", "cancelled", "done", "active"]),
        force=st.booleans(),
    )
    def update(self, who: str, at: int, status: str, force: bool) -> None:
        step = self.order[at]
        answer = self.steps("update", step_id=step.step_id, agent=who, status=status, force=force or None)
        assert answer.get("code") == self.set_status(step, who, status, None, force)

    def confirm(self, gate_id: str) -> None:
        """What a person does in a terminal."""

        async def confirmed() -> None:
            async with (await self.store.open()).transaction() as tx:
                [gate] = await gates.named(tx, [gate_id])
                await answers.confirm(tx, gate, Word("terminal"))

        self.loop.run_until_complete(confirmed())

    @rule(at=STEPS)
    def confirm_step(self, at: int) -> None:
        self.confirm(self.order[at].step_id)
        self.order[at].confirmed = True

    @rule()
    def confirm_phase(self) -> None:
        self.confirm(self.phase_id)
        self.gate_open = True

    @rule(at=STEPS, who=AGENTS | st.none())
    def confirm_as_agent(self, at: int, who: str | None) -> None:
        """An agent confirms nothing; what is confirmed already stays so."""
        step = self.order[at]
        answer = self.call("memory_plan", "confirm", confirmation_scope="step", step_id=step.step_id, agent=who)
        assert answer.get("code") == (None if step.confirmed else "gated")

    @rule(at=STEPS, on=st.sets(STEPS, max_size=2))
    def depend(self, at: int, on: set[int]) -> None:
        step, names = self.order[at], {self.order[i].name for i in on}
        before, old, gate_open = self.held(), {s.name: replace(s) for s in self.order}, self.gate_open
        step.waits = names
        refusal = "conflict" if self.in_cycle(step) else "gated" if self.opens(before, old) else None
        if refusal:
            self.restore(old, gate_open)
        answer = self.steps(
            "set_dependencies",
            step_id=step.step_id,
            depends_on=[self.order[i].step_id for i in sorted(on)],
            claim_token=step.token or None,
        )
        assert answer.get("code") == refusal

    def in_cycle(self, start: Step) -> bool:
        seen, todo = set[str](), list(start.waits)
        while todo:
            name = todo.pop()
            if name == start.name:
                return True
            if name not in seen:
                seen.add(name)
                todo += next(s for s in self.order if s.name == name).waits
        return False

    @rule(order=st.permutations(range(7)))
    def set_order(self, order: list[int]) -> None:
        self.steps("set_order", plan_id=self.plan_id, new_order=order)
        self.order = [self.order[index] for index in order]

    @rule(seconds=st.sampled_from([1, LEASE - 1, LEASE, LEASE + 1]))
    def pass_time(self, seconds: int) -> None:
        self.now += seconds

    @invariant()
    def the_store_agrees(self) -> None:
        if not self.order:
            return
        listed = self.steps("list", plan_id=self.plan_id, detail="full")["steps"]
        assert [s["step_id"] for s in listed] == [s.step_id for s in self.order]
        assert [s["status"] for s in listed] == [s.status for s in self.order]
        assert [s.get("claimed_by") for s in listed] == [s.holder for s in self.order]
        ready = self.steps("ready", plan_id=self.plan_id)["steps"]
        assert [s["step_id"] for s in ready] == [s.step_id for s in self.eligible()]


def test_a_cancelled_step_keeps_what_it_waits_for_until_the_gate_behind_that_opens() -> None:
    state = Claims()
    state.make_plan(["standard"] * 7)
    state.depend(at=1, on={0, 4})
    state.update(at=1, status="cancelled", who="ada", force=False)

    state.depend(at=1, on=set())
    assert state.order[1].waits == {"s0", "s4"}  # it may be opened again, and would then be past the gate before s4
    state.confirm_phase()
    state.depend(at=1, on=set())
    assert state.order[1].waits == set()
    state.the_store_agrees()
    state.teardown()


TestClaims = Claims.TestCase
TestClaims.settings = settings(
    max_examples=often(60, usual=20),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
