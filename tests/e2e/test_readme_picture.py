"""The picture of `status` in the README is what `status` prints, but for ids, times and where the project is."""

import os
import re
import sys
from pathlib import Path
from typing import Any

from server.settings import ASSETS
from tests.conftest import Agent
from tests.e2e.terminals import Terminal

PICTURE = re.compile(r"```text\n(?=Needs you)(.*?)```", re.DOTALL)
CHANGING = (
    (r"\b([a-z]+)_1r\w{10}\b", r"\1_1rqewqexykb7"),
    (r"\b(now|\d+ (s|min|h) ago)\b", "some time ago"),
    (r"\bin \d+ (s|min)\b", "in some time"),
    (r" --data-root \S+", ""),
    (r"  +", "  "),
    (r" +$", ""),
)


def still(text: str) -> str:
    """What stays the same from one run to the next."""
    for pattern, same in CHANGING:
        text = re.sub(pattern, same, text, flags=re.MULTILINE)
    return text.strip()


async def a_day_at_work(agent: Agent, workspace_id: str) -> None:
    await agent("memory_workspace", "set_display_name", workspace_id=workspace_id, display_name="shop")
    phases: list[dict[str, Any]] = [
        {"name": "Prepare", "steps": [{"task": "Read how discounts work"}, {"task": "Add the table of codes"}]},
        {
            "name": "Build",
            "steps": [
                {"task": "Redeem a code at the till"},
                {"task": "Show a code in the basket"},
                {"task": "Send codes by mail"},
                {"task": "Print codes on receipts"},
            ],
        },
        {"name": "Ship", "steps": [{"task": "Switch it on for one shop", "type": "user_validation"}]},
    ]
    plan = await agent("memory_plan", "create", workspace_id=workspace_id, title="Vouchers", phases=phases)
    here = {"plan_id": plan["plan_id"]}
    me = {"session_id": (await agent("memory_agent", "init", agent="executor", **here))["session_id"]}
    for _ in range(2):
        step = await agent("memory_steps", "next", **here, **me)
        await agent("memory_steps", "update", step_id=step["next"]["step_id"], status="done", **me)
    await agent("memory_steps", "next", **here, **me)
    await agent("memory_steps", "update", **here, step_index=4, status="blocked", append_notes="no mail account", **me)
    question = "May a code be used twice?"
    await agent("memory_session", "send_message", to_agent="human", content=question, **here, **me)
    await agent("memory_steps", "next", **here, agent="tester", types=["user_validation"])
    await agent.fails("memory_steps", "update", **here, step_index=6, status="done", agent="tester")
    await agent(
        "memory_plan", "create", workspace_id=workspace_id, title="Faster search", steps=[{"task": "Measure it"}]
    )


async def test_the_picture_of_status_is_what_it_prints(agent: Agent, workspace_id: str, project: Path) -> None:
    assert agent.settings
    await a_day_at_work(agent, workspace_id)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {"NO_COLOR": "1", "PATH": path}
    terminal = Terminal(agent.settings.data_root, "status", size=(120, 50), env=env, cwd=project)
    assert terminal.end() == 0
    printed = terminal.shown.replace("\r\n", "\n").replace(str(project), "/home/me/shop")
    found = PICTURE.search((ASSETS / "README.md").read_text(encoding="utf-8"))

    assert found
    assert still(printed) == still(found[1]), printed
