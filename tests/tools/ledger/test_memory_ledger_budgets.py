"""memory_ledger: what plans may cost, and what they have cost."""

import asyncio
import json
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from server.calls import run
from server.errors import ProjectMemoryError
from server.tools import TOOLS
from tests.conftest import Agent
from tests.tools.steps.test_claims_property import VirtualStore

TOOL = "memory_ledger"
START = datetime(2030, 1, 1, tzinfo=UTC)
UNITS = ("USD", "tokens")


async def make_plan(agent: Agent, workspace_id: str) -> str:
    steps = [{"task": "a"}, {"task": "b"}]
    return (await agent("memory_plan", "create", workspace_id=workspace_id, title="P", steps=steps))["plan_id"]


@pytest.mark.any_transport
async def test_a_hard_budget_hands_out_nothing_more_above_its_maximum(agent: Agent, workspace_id: str) -> None:
    plan_id = await make_plan(agent, workspace_id)
    on_plan = {"plan_id": plan_id, "agent": "ada"}
    await agent(TOOL, "set_budget", max=1, hard=True, **on_plan)
    first = await agent("memory_steps", "next", **on_plan)
    assert "warnings" not in first
    told = await agent(TOOL, "spend", amount=0.8, **on_plan)
    assert (told["spent"], told["left"]) == (0.8, 0.2)
    assert "0.8 of 1 USD" in told["warning"]
    assert "over" not in told

    held = await agent("memory_steps", "next", **on_plan)
    assert held["warnings"] == ["0.8 of 1 USD are spent."]
    briefing = await agent("memory_agent", "init", **on_plan)
    assert briefing["plan"]["budget"] == ["0.8 of 1 USD are spent."]
    await agent(TOOL, "spend", amount=0.2, **on_plan)
    assert (await agent("memory_steps", "ready", plan_id=plan_id))["total"] == 1  # it is spent, and not exceeded

    over = await agent(TOOL, "spend", amount=0.01, **on_plan)
    assert (over["over"], over["left"]) == (True, -0.01)
    done = await agent("memory_steps", "next", step_id=first["next"]["step_id"], **on_plan)
    assert done["completed"]["status"] == "done"  # what is claimed may be finished
    assert "next" not in done
    assert done["waiting"]["counts"] == {"budget": 1}
    assert "budget" in done["waiting"]["first"][0]["reason"]
    assert (await agent("memory_steps", "ready", plan_id=plan_id))["total"] == 0
    assert (await agent("memory_steps", "ready", workspace_id=workspace_id))["total"] == 0
    error = await agent.fails("memory_steps", "claim", plan_id=plan_id, step_index=1, agent="ada")
    assert (error["code"], error["reason"]) == ("conflict", "budget")

    await agent(TOOL, "set_budget", max=5, **on_plan)
    assert (await agent("memory_steps", "next", **on_plan))["next"]["index"] == 1


@pytest.mark.any_transport
async def test_budgets_are_listed_by_unit_and_by_what_is_over(agent: Agent, workspace_id: str) -> None:
    plan_id = await make_plan(agent, workspace_id)
    on_plan = {"plan_id": plan_id, "agent": "ada"}
    await agent(TOOL, "set_budget", max=10, alert_threshold=0.5, **on_plan)
    await agent(TOOL, "spend", amount=4, breakdown={"model": 3, "search": 1}, **on_plan)
    told = await agent(TOOL, "spend", amount=8, breakdown={"model": 8}, **on_plan)
    assert told["breakdown"] == {"model": 11, "search": 1}
    await agent(TOOL, "set_budget", max=1000, unit="tokens", **on_plan)
    error = await agent.fails(TOOL, "spend", amount=1, **on_plan)
    assert "USD, tokens" in error["message"]
    await agent(TOOL, "spend", amount=100, unit="Tokens", **on_plan)

    both = (await agent(TOOL, "budgets", plan_id=plan_id))["budgets"]
    assert {one["unit"]: one["spent"] for one in both} == {"USD": 12, "tokens": 100}
    [tokens] = (await agent(TOOL, "budgets", plan_id=plan_id, unit="TOKENS"))["budgets"]
    assert tokens["spent"] == 100
    [over] = (await agent(TOOL, "budgets", workspace_id=workspace_id, over=True))["budgets"]
    assert (over["unit"], over["over"], over["plan_id"]) == ("USD", True, plan_id)
    assert (await agent("memory_steps", "ready", plan_id=plan_id))["total"] == 2  # it is not hard
    error = await agent.fails(TOOL, "spend", amount=-13, unit="USD", **on_plan)
    assert error["code"] == "conflict"
    assert (await agent(TOOL, "spend", amount=-2, unit="USD", **on_plan))["spent"] == 10


@pytest.mark.any_transport
async def test_a_budget_of_nothing_holds(agent: Agent, workspace_id: str) -> None:
    plan_id = await make_plan(agent, workspace_id)
    await agent(TOOL, "spend", plan_id=plan_id, amount=5)
    told = await agent(TOOL, "set_budget", plan_id=plan_id, max=0, hard=True)
    assert (told["max"], told["left"], told["over"]) == (0, -5, True)
    assert "next" not in await agent("memory_steps", "next", plan_id=plan_id, agent="ada")
    assert (await agent(TOOL, "budgets", workspace_id=workspace_id, over=True))["total"] == 1
    told = await agent(TOOL, "set_budget", plan_id=plan_id, max=6, hard=False)
    assert "hard" not in told
    assert "next" in await agent("memory_steps", "next", plan_id=plan_id, agent="ada")


@pytest.mark.any_transport
@pytest.mark.parametrize(
    "sent",
    [
        {"amount": 1e308}, {"amount": -1e308}, {"amount": 10**400}, {"amount": 1, "breakdown": {"a": 10**400}},
        {"amount": 1, "breakdown": {"a": -1e300}}, {"amount": 1, "breakdown": {"a": float("nan")}},
    ],
)  # fmt: skip
async def test_an_amount_beyond_all_sense_is_refused_in_plain_words(
    agent: Agent, workspace_id: str, sent: dict[str, Any]
) -> None:
    plan_id = await make_plan(agent, workspace_id)
    error = await agent.fails(TOOL, "spend", plan_id=plan_id, **sent)
    assert error["code"] == "invalid_arguments"
    assert "range float" not in error["message"]
    assert (await agent(TOOL, "budgets", plan_id=plan_id))["total"] == 0


@pytest.mark.any_transport
async def test_sums_of_tokens_are_told_to_the_last_one_and_without_empty_fields(
    agent: Agent, workspace_id: str
) -> None:
    plan_id = await make_plan(agent, workspace_id)
    await agent(TOOL, "set_budget", plan_id=plan_id, max=1_500_000, unit="tokens")
    await agent(TOOL, "spend", plan_id=plan_id, amount=1_234_567, unit="tokens")
    [told] = (await agent(TOOL, "budgets", plan_id=plan_id))["budgets"]
    assert told["warning"] == "1,234,567 of 1,500,000 tokens are spent."
    assert sorted(told) == [
        "alert_threshold", "budget_id", "left", "max", "plan_id", "spent", "unit", "version", "warning",
    ]  # fmt: skip


@pytest.mark.any_transport
async def test_what_is_spent_without_a_budget_is_known_all_the_same(agent: Agent, workspace_id: str) -> None:
    plan_id = await make_plan(agent, workspace_id)
    for _ in range(9):
        await agent(TOOL, "spend", plan_id=plan_id, amount=0.1, agent="ada")
    told = await agent(TOOL, "spend", plan_id=plan_id, amount=0.1, agent="ada")
    assert (told["spent"], told["unit"]) == (1.0, "USD")
    assert "max" not in told
    sent = {"plan_id": plan_id, "amount": 1, "agent": "ada", "request_id": "once"}
    assert await agent(TOOL, "spend", **sent) == await agent(TOOL, "spend", **sent)
    assert (await agent(TOOL, "budgets", plan_id=plan_id))["budgets"][0]["spent"] == 2.0


class Budgets(RuleBasedStateMachine):
    """Spending in any order, against sums of decimals; archives and a trash in between; a clock that the test turns."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        self.folder = Path(tempfile.mkdtemp())
        self.loop = asyncio.new_event_loop()
        self.store = VirtualStore(self.folder / "data", lambda: START + timedelta(seconds=self.seconds))
        self.max: dict[str, Decimal | None] = {}
        self.hard: dict[str, bool] = {}
        self.spent: dict[str, Decimal] = {}

    def teardown(self) -> None:
        self.loop.run_until_complete(self.store.close())
        self.loop.close()
        shutil.rmtree(self.folder)

    def call(self, tool: str, action: str, /, **arguments: Any) -> dict[str, Any]:
        try:
            return json.loads(
                self.loop.run_until_complete(run(self.store, TOOLS, tool, {"action": action, **arguments}))
            )
        except ProjectMemoryError as error:
            return {"code": error.code}

    @initialize()
    def make(self) -> None:
        project = self.folder / "project"
        project.mkdir()
        home = self.call("memory_workspace", "register", workspace_path=str(project))["workspace_id"]
        plan = self.call("memory_plan", "create", workspace_id=home, title="P", steps=[{"task": "a"}])
        self.home, self.plan_id = home, plan["plan_id"]

    @rule(unit=st.sampled_from(UNITS), amount=st.decimals(-50, 100, places=2), part=st.sampled_from("ab"))
    def spend(self, unit: str, amount: Decimal, part: str) -> None:
        self.seconds += 1
        told = self.call(
            TOOL, "spend", plan_id=self.plan_id, unit=unit, amount=float(amount), breakdown={part: float(amount)}
        )
        total = self.spent.get(unit, Decimal(0)) + amount
        if total < 0:
            assert told == {"code": "conflict"}
            return
        self.spent[unit] = total
        self.max.setdefault(unit, None)
        self.hard.setdefault(unit, False)
        assert Decimal(repr(told["spent"])) == total

    @rule(unit=st.sampled_from(UNITS), most=st.decimals(0, 200, places=2), hard=st.booleans())
    def limit(self, unit: str, most: Decimal, hard: bool) -> None:
        told = self.call(TOOL, "set_budget", plan_id=self.plan_id, unit=unit, max=float(most), hard=hard)
        self.max[unit], self.hard[unit] = most, hard
        self.spent.setdefault(unit, Decimal(0))
        assert Decimal(repr(told["left"])) == most - self.spent[unit]

    @rule()
    def away_and_back(self) -> None:
        self.call("memory_plan", "archive", plan_id=self.plan_id)
        self.agrees()
        assert self.call(TOOL, "spend", plan_id=self.plan_id, amount=1, unit="USD") == {"code": "conflict"}
        self.call("memory_plan", "unarchive", plan_id=self.plan_id)
        gone = self.call("memory_plan", "delete", plan_id=self.plan_id, confirm=True)
        self.call("memory_workspace", "restore", workspace_id=self.home, trash_id=gone["trash_id"])

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "plan_id"):
            return
        found = self.call(TOOL, "budgets", plan_id=self.plan_id).get("budgets", [])
        assert {one["unit"]: Decimal(repr(one["spent"])) for one in found} == self.spent
        beyond = {unit for unit, most in self.max.items() if most is not None and self.spent[unit] > most}
        assert {one["unit"] for one in found if one.get("over")} == beyond
        over = self.call(TOOL, "budgets", plan_id=self.plan_id, over=True).get("budgets", [])
        assert {one["unit"] for one in over} == beyond

    @invariant()
    def is_handed_out_while_there_is_something_left(self) -> None:
        if not hasattr(self, "plan_id"):
            return
        is_exhausted = any(
            self.hard[unit] and most is not None and self.spent[unit] > most for unit, most in self.max.items()
        )
        ready = self.call("memory_steps", "ready", plan_id=self.plan_id)
        assert ready["total"] == (0 if is_exhausted else 1)


TestBudgets = Budgets.TestCase
TestBudgets.settings = settings(
    max_examples=12, stateful_step_count=12, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def test_caches_runs_and_jobs_end_by_the_clock() -> None:
    state = Budgets()
    state.make()
    here = {"workspace_id": state.home, "agent": "ada"}
    state.call(TOOL, "cache_set", key="k", payload={"a": 1}, ttl_seconds=60, **here)
    state.call(TOOL, "start_run", name="n", limit_seconds=120, **here)
    state.call(TOOL, "set_progress", task_name="t", percent=1, **here)

    def seen() -> tuple[bool, list[str], bool]:
        hit = state.call(TOOL, "cache_get", key="k", **here)["hit"]
        runs = state.call(TOOL, "list_runs", workspace_id=state.home)["runs"]
        [job] = state.call(TOOL, "list_progress", workspace_id=state.home)["progress"]
        return hit, [one["status"] for one in runs], job.get("stale", False)

    for seconds, expected in (
        (59, (True, ["running"], False)),
        (60, (False, ["running"], False)),
        (120, (False, ["lost"], False)),
        (900, (False, ["lost"], True)),
    ):
        state.seconds = seconds
        assert seen() == expected
    state.call(TOOL, "cache_set", key="k", payload={"a": 2}, **here)
    assert seen()[0] is True
    state.teardown()
