"""A project with Task Master: tags, subtasks and dependencies of every spelling, and what has to come of it."""

import json
import random
from pathlib import Path
from typing import Any

from tests.importers.layouts import Expected

SECRET = "ghp_" + "Zz9" * 12
AT = "2025-06-01T10:00:00.000Z"


def task(number: Any, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "title": f"Task {number} — größer",
        "description": f"Text of {number}",
        "status": "pending",
        "dependencies": [],
        "priority": "medium",
        "details": f"Details of {number}",
        "testStrategy": "Run it",
        "subtasks": [],
        **more,
    }


def subtask(number: Any, **more: Any) -> dict[str, Any]:
    return {"id": number, "title": f"Part {number}", "status": "pending", "dependencies": [], **more}


def tags(seed: int) -> dict[str, Any]:
    """Return two tags. The comments count the links that can be kept."""
    chance = random.Random(seed)
    many = [task(number, priority=chance.choice(["low", "high", "critical"])) for number in range(20, 60)]
    master = [
        task(1, status="done", updatedAt="2025-06-02T10:00:00.000Z", complexity=7, effort=3),
        task(2, dependencies=[1, "1", 99], status="in-progress", assignee="ann"),  # 1
        task(3, dependencies=["5.2", 2], status="review", tags=["one", "two"]),  # 2
        task(5, status="deferred", subtasks=[
            subtask(1, description="First", acceptanceCriteria="It runs", parentTaskId=5),
            subtask(2, dependencies=[1]),  # 1: the one beside it, though there is a task 1
            subtask(3, dependencies=["5.1", 20, "2"]),  # 3: 20 can only be the task
            subtask(4, dependencies=[5.1], status="cancelled"),  # 1
        ]),
        task("6", dependencies=[7], metadata={"own": [1, 2.50, None, {}]}),  # 1
        task(7, dependencies=[8], status="blocked"),  # 1
        task(8, dependencies=["6", 8], complexityReasoning="It is hard"),  # none: a circle, and itself
        task(9, title="", status="our own word"),
        task(9, title="The same number again"),
        task(10, details=f"The key is {SECRET}"),
        *many,
    ]  # fmt: skip
    feature = [task(1, status="done"), task(2, status="cancelled", dependencies=[1])]  # 1
    return {
        "master": {
            "tasks": master,
            "metadata": {"created": AT, "updated": AT, "description": "The main line", "taskCount": 50},
        },
        "feature-x": {"tasks": feature, "metadata": {"created": AT, "description": None}},
    }


LINKS = 1 + 2 + 1 + 3 + 1 + 1 + 1 + 1
LISTS = ("tasks", "subtasks")


def steps(value: Any) -> int:
    """Count tasks and subtasks, wherever they are."""
    if isinstance(value, dict):
        return sum(len(item) if name in LISTS else 0 for name, item in value.items()) + sum(map(steps, value.values()))
    return sum(map(steps, value)) if isinstance(value, list) else 0


def write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def store(folder: Path, seed: int) -> Expected:
    """Write a project that uses Task Master."""
    found = tags(seed)
    home = folder / ".taskmaster"
    path = home / "tasks" / "tasks.json"
    write(path, found)
    write(home / "config.json", {"models": {"main": {"provider": "anthropic", "maxTokens": 64000}}, "global": {}})
    write(home / "state.json", {"currentTag": "feature-x"})
    report = {"meta": {"tasksAnalyzed": 1}, "complexityAnalysis": [{"taskId": 1, "complexityScore": 8}]}
    write(home / "reports" / "task-complexity-report.json", report)
    write(home / "reports" / "task-complexity-report_feature-x.json", report)
    (home / "tasks" / "task_001.txt").write_text("# Task ID: 1\n", encoding="utf-8")
    (home / "docs").mkdir()
    (home / "docs" / "prd.txt").write_text("What we want\n", encoding="utf-8")
    write(folder / "tasks" / "other.json", {"tasks": "not ours"})

    def edit() -> str:
        found["master"]["metadata"]["description"] = "The main line, renamed"
        found["feature-x"]["metadata"]["description"] = "The main line, renamed"
        write(path, found)
        return "The main line, renamed"

    def broken() -> None:
        found["master"]["tasks"] += [7, {"title": "without a number"}, None]
        write(path, found)

    rows = {
        "workspaces": 1,
        "plans": 2,
        "phases": 2,
        "steps": steps(found),
        "dependencies": LINKS,
        "context_items": 2,
        "memory_entries": 2,
    }
    texts = ["größer", "The same number again", "It runs", "our own word", "It is hard", "complexityScore"]
    return Expected("task-master", folder, rows, files=7, texts=texts, secrets=[SECRET], edit=edit, broken=broken)
