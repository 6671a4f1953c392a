"""memory_workspace events: waiting for what other processes write."""

import anyio

from server.db.connection import Database
from tests.conftest import Agent


async def latest_id(agent: Agent, workspace_id: str) -> int:
    return (await agent("memory_workspace", "events", workspace_id=workspace_id, limit=1))["latest_id"]


async def test_a_waiting_caller_hears_of_another_process_at_once(agent: Agent, workspace_id: str, db: Database) -> None:
    since_id = await latest_id(agent, workspace_id)
    heard: list[dict[str, object]] = []

    async def wait() -> None:
        answer = await agent(
            "memory_workspace",
            "events",
            workspace_id=workspace_id,
            since_id=since_id,
            types=["knock"],
            wait_seconds=20,
        )
        heard.extend(answer["events"])

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            for kind in ("other", "knock"):
                async with db.transaction() as tx:
                    await tx.run(
                        """
                        INSERT INTO event_log (timestamp, workspace_id, type, entity_type, entity_id)
                        VALUES (:now, :workspace_id, :kind, 'test', 'x')
                        """,
                        {"now": tx.now(), "workspace_id": workspace_id, "kind": kind},
                    )
    assert [event["type"] for event in heard] == ["knock"]


async def test_waiting_ends_with_nothing_when_nothing_happens(agent: Agent, workspace_id: str) -> None:
    since_id = await latest_id(agent, workspace_id)
    with anyio.fail_after(5):
        answer = await agent(
            "memory_workspace", "events", workspace_id=workspace_id, since_id=since_id, wait_seconds=0.3
        )
    assert answer["events"] == []


async def test_what_is_there_already_is_not_waited_for(agent: Agent, workspace_id: str) -> None:
    with anyio.fail_after(5):
        answer = await agent("memory_workspace", "events", workspace_id=workspace_id, since_id=0, wait_seconds=20)
    assert answer["events"]


async def test_more_than_25_seconds_are_refused(agent: Agent, workspace_id: str) -> None:
    error = await agent.fails("memory_workspace", "events", workspace_id=workspace_id, wait_seconds=26)
    assert error["code"] == "invalid_arguments"
