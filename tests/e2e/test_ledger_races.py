"""Many processes write the ledger of one plan at once: no amount, entry or name is lost or counted twice."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest_asyncio

from tests.e2e.processes import ServerProcess

PROCESSES = 8
EACH = 15


@pytest_asyncio.fixture
async def servers(tmp_path: Path) -> AsyncGenerator[list[ServerProcess]]:
    first = await ServerProcess.start(tmp_path / "data")
    others = await asyncio.gather(*(ServerProcess.start(tmp_path / "data") for _ in range(PROCESSES - 1)))
    yield [first, *others]
    await asyncio.gather(*(server.kill() for server in (first, *others)))


async def make_plan(server: ServerProcess, project: Path) -> tuple[str, list[str]]:
    home = await server("memory_workspace", "register", workspace_path=str(project))
    steps = [{"task": f"step {n}", "required_gates": ["tests"]} for n in range(PROCESSES)]
    plan = await server("memory_plan", "create", workspace_id=home["workspace_id"], title="P", steps=steps)
    return plan["plan_id"], plan["step_ids"]


async def test_the_sum_of_what_eight_processes_spend_is_exact(servers: list[ServerProcess], project: Path) -> None:
    plan_id, _ = await make_plan(servers[0], project)

    async def spends(number: int, server: ServerProcess) -> None:
        for _ in range(EACH):
            part = {f"agent {number}": 0.1}
            await server("memory_ledger", "spend", plan_id=plan_id, amount=0.1, breakdown=part, agent=f"agent {number}")

    await asyncio.gather(*(spends(number, server) for number, server in enumerate(servers)))
    [budget] = (await servers[0]("memory_ledger", "budgets", plan_id=plan_id))["budgets"]
    assert budget["spent"] == PROCESSES * EACH / 10
    assert budget["breakdown"] == {f"agent {n}": EACH / 10 for n in range(PROCESSES)}


async def test_a_gate_that_every_process_records_lets_each_step_out_once(
    servers: list[ServerProcess], project: Path
) -> None:
    plan_id, step_ids = await make_plan(servers[0], project)

    async def works(number: int, server: ServerProcess) -> str:
        who = {"agent": f"agent {number}"}
        assert "next" not in await server("memory_steps", "next", plan_id=plan_id, **who)
        await server(
            "memory_ledger", "record_gate", step_id=step_ids[number], gate_name="tests", status="passed", **who
        )
        return (await server("memory_steps", "next", plan_id=plan_id, **who))["next"]["step_id"]

    for server in servers[1:]:
        assert "next" not in await server("memory_steps", "next", plan_id=plan_id, agent="nobody")
    first = await works(0, servers[0])
    assert first == step_ids[0]
    rest = [(number, server) for number, server in enumerate(servers) if number]
    for number, _ in rest:
        step = {"step_id": step_ids[number], "gate_name": "tests", "agent": "ci"}
        await servers[number]("memory_ledger", "record_gate", status="failed", **step)

    async def passes(number: int, server: ServerProcess) -> str:
        who = {"agent": f"agent {number}"}
        await server(
            "memory_ledger", "record_gate", step_id=step_ids[number], gate_name="tests", status="passed", **who
        )
        return (await server("memory_steps", "next", plan_id=plan_id, **who))["next"]["step_id"]

    got = await asyncio.gather(*(passes(number, server) for number, server in rest))
    assert sorted([first, *got]) == sorted(step_ids)
    entries = await servers[0]("memory_ledger", "list_gates", plan_id=plan_id, status="passed")
    assert entries["total"] == PROCESSES
