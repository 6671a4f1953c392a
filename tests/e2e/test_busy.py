"""A process that stops inside a transaction: the others are told, nothing is half done, and all goes on after it."""

import signal
import sys
from pathlib import Path

import pytest

from server.db.storage.lock_holder import LOCKS
from tests.conftest import ToolError
from tests.e2e.processes import PLAIN, ServerProcess

WORKER = str(Path(__file__).with_name("stopping_server.py"))


async def test_a_process_stopped_inside_a_transaction_blocks_others_for_the_timeout_only(
    tmp_path: Path, project: Path
) -> None:
    server = await ServerProcess.start(tmp_path / "data")
    workspace = await server("memory_workspace", "register", workspace_path=str(project))
    fact = {"workspace_id": workspace["workspace_id"], "value": "x"}
    stopped = await ServerProcess.start(tmp_path / "data", command=(sys.executable, WORKER), hears_errors=True)
    await stopped.begin("memory_workspace", "set_display_name", display_name="half", **_named(fact))
    await stopped.says("stopping")
    with pytest.raises(ToolError) as caught:
        await server("memory_context", "remember", key="before", **fact)
    assert caught.value.code == "busy"
    assert caught.value.error.get("held_by_pid") == (stopped.process.pid if LOCKS.exists() else None)
    assert (await server("memory_workspace", "info", **_named(fact))).get("display_name") != "half"
    stopped.process.send_signal(signal.SIGKILL)
    await stopped.process.wait()
    await server("memory_context", "remember", key="after", **fact)
    recalled = await server("memory_context", "recall", **_named(fact))
    assert [entry["key"] for entry in recalled["memories"]] == ["after"]
    assert await server.close() == 0


async def test_a_process_stopped_between_its_writes_holds_up_nobody(tmp_path: Path, project: Path) -> None:
    server = await ServerProcess.start(tmp_path / "data")
    workspace = await server("memory_workspace", "register", workspace_path=str(project))
    fact = {"workspace_id": workspace["workspace_id"], "value": "x"}
    stopped = await ServerProcess.start(tmp_path / "data", command=PLAIN)
    for number in range(5):
        await stopped("memory_context", "remember", key=f"its {number}", **fact)
    stopped.process.send_signal(signal.SIGSTOP)
    for number in range(20):
        await server("memory_context", "remember", key=f"ours {number}", **fact)
    stopped.process.send_signal(signal.SIGCONT)
    await stopped("memory_context", "remember", key="its last", **fact)

    recalled = await server("memory_context", "recall", limit=100, **_named(fact))
    assert recalled["total"] == 26
    assert await stopped.close() == await server.close() == 0


def _named(fact: dict[str, str]) -> dict[str, str]:
    return {"workspace_id": fact["workspace_id"]}
