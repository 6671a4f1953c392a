"""A project with Backlog.md: tasks of both styles in every folder, and what has to come of them."""

import random
from pathlib import Path

from tests.importers.layouts import Expected

SECRET = "ghp_" + "Zz9" * 12
CONFIG = """\
project_name: "Größer"
statuses: ["To Do", "In Progress", "Shipped"]
task_prefix: "back"
labels: []
definition_of_done:
  - It is tested
"""
NEW_BODY = """
## Description

<!-- SECTION:DESCRIPTION:BEGIN -->
Text of {0} in größeren Worten
<!-- SECTION:DESCRIPTION:END -->

## Acceptance Criteria
<!-- AC:BEGIN -->
- [x] #1 It runs for {0}
- [ ] #2 It stops for {0}
<!-- AC:END -->

## Definition of Done
<!-- DOD:BEGIN -->
- [ ] #1 It is tested
<!-- DOD:END -->
"""
OLD_BODY = """
## Description

An old text of {0}

## Acceptance Criteria (Optional)

- [x] It ran once for {0}
"""


def task(folder: Path, where: str, name: str, *, body: str = NEW_BODY, **more: str) -> Path:
    head = {"title": f"'Title of {name}'", "status": "To Do", "assignee": "[]", "created_date": "'2025-06-01 10:00'"}
    lines = [f"{key}: {value}" for key, value in {"id": name, **head, **more}.items()]
    path = folder / where / f"{name.lower()} - Title-of-{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["---", *lines, "---", body.format(name)]), encoding="utf-8")
    return path


def store(folder: Path, seed: int) -> Expected:
    """Write a project that uses Backlog.md."""
    home = folder / "backlog"
    chance = random.Random(seed)
    first = task(home, "tasks", "BACK-1", status="In Progress", assignee="['@ann', '@bob']", milestone="m-1")
    tasks = [
        first,
        task(home, "tasks", "BACK-1.1", parent_task_id="BACK-1", dependencies="[BACK-2]"),
        task(home, "tasks", "BACK-2", priority="high", labels="[one, two]", dependencies="[back-3, BACK-99]"),
        task(home, "tasks", "BACK-3", dependencies="[BACK-2]", onStatusChange="'touch ran-a-command'"),
        task(home, "tasks", "task-4", body=OLD_BODY, status="our own word", created_date="'2024-01-02'", own="{a: 1}"),
        task(home, "tasks", "BACK-5.1", parent_task_id="BACK-5"),
        task(home, "tasks", "BACK-6", body=f"\nThe key is {SECRET}\n"),
        task(home, "completed", "BACK-7", status="Shipped", updated_date="'2025-07-01 09:30'"),
        task(home, "archive/tasks", "BACK-8", due_date="'2026-01-01'"),
        task(home, "drafts", "draft-9", status="Draft"),
        task(home, "archive/tasks", "BACK-2", title="The same id again"),
        *[task(home, "tasks", f"BACK-{n}", priority=chance.choice(["low", "medium"])) for n in range(20, 50)],
    ]
    (home / "config.yml").write_text(CONFIG, encoding="utf-8")
    for name, text in {
        "decisions/decision-1 - Use-Markdown.md": "---\nid: decision-1\ntitle: Use Markdown\ndate: '2025-06-01'\n"
        "status: accepted\n---\n## Context\n\nIt merges well\n\n## Decision\n\nYes\n",
        "docs/guide/doc-1 - Guide.md": "---\nid: doc-1\ntitle: Guide\n---\nHow it goes\n",
        "milestones/m-1 - First.md": "---\nid: m-1\ntitle: First\n---\nThe first milestone\n",
    }.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text, encoding="utf-8")
    (folder / "README.md").write_text("Not ours\n", encoding="utf-8")

    def edit() -> str:
        (home / "config.yml").write_text(CONFIG + "own: learned since\n", encoding="utf-8")
        return "learned since"

    def broken() -> None:
        (home / "tasks" / "back-90 - Torn.md").write_text("---\nid: [BACK-90\ntitle: x\n---\n", encoding="utf-8")
        (home / "tasks" / "back-91 - Nameless.md").write_text("---\ntitle: x\n---\n", encoding="utf-8")

    rows = {
        "workspaces": 1,
        "plans": 1,
        "phases": 3,
        "steps": len(tasks),
        "decisions": 1,
        "research_documents": 2,
        "memory_entries": 1,
        "dependencies": 2,  # 1.1 and 2; that of 3 closes a circle, and 99 is nowhere
    }
    texts = ["größeren Worten", "It ran once for task-4", "our own word", "The same id again", "It merges well",
             "The first milestone", "How it goes", "touch ran-a-command", "It stops for BACK-1"]  # fmt: skip
    return Expected(
        "backlog-md", folder, rows, files=len(tasks) + 4, texts=texts, secrets=[SECRET], edit=edit, broken=broken
    )
