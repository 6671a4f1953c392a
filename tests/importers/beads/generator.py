"""A store of beads with every shape of its files, and what has to come of it."""

import json
import random
from pathlib import Path
from typing import Any

from tests.importers.layouts import Expected

AT = "2025-03-01T10:00:{:02d}.123456789Z"
SECRET = "ghp_" + "Zz9" * 12


def issue(number: int, **more: Any) -> dict[str, Any]:
    stamp = AT.format(number % 60)
    return {
        "id": f"bd-{number:x}",
        "title": f"Issue {number} — größer",
        "description": f"Text of {number}",
        "status": "open",
        "priority": number % 5,
        "issue_type": ("bug", "feature", "task", "chore")[number % 4],
        "created_at": stamp,
        "updated_at": stamp,
        **more,
    }


def link(source: str, target: str, kind: str) -> dict[str, Any]:
    return {"issue_id": source, "depends_on_id": target, "type": kind, "created_at": AT.format(1), "created_by": "me"}


def lines(seed: int) -> list[dict[str, Any]]:
    """Return issues: epics with children, one in another, loose ones, a decision, a memory, links of all kinds."""
    chance = random.Random(seed)
    found = [
        issue(1, issue_type="epic", title="The epic", owner="ann", unknown_field={"b": 1, "a": None}),
        issue(2, issue_type="epic", title="A closed epic", status="closed", closed_at=AT.format(9)),
        issue(3, issue_type="epic", title="An inner epic", dependencies=[link("bd-3", "bd-1", "parent-child")]),
    ]
    for number in range(16, 24):
        parent = chance.choice(["bd-1", "bd-2", "bd-3"])
        found.append(issue(number, dependencies=[link(f"bd-{number:x}", parent, "parent-child")]))
    found += [
        issue(0x1A, id="bd-1.1", title="A child by its id"),
        issue(0x20, status="in_progress", assignee="bob", comments=[
            {"id": 7, "issue_id": "bd-20", "author": "eve", "text": "An older comment", "created_at": AT.format(3)},
            {"id": "c-8", "issue_id": "bd-20", "author": "eve", "text": "A newer comment", "created_at": AT.format(4)},
        ]),
        issue(0x21, status="blocked", dependencies=[link("bd-21", "bd-20", "blocks")]),
        issue(0x22, status="hooked", labels=["one", "two"], metadata={"deep": [1, 2.50, None, {}]}),
        issue(0x23, status="deferred", defer_until=AT.format(5)),
        issue(0x24, status="tombstone", deleted_at=AT.format(6), delete_reason="Not wanted", original_type="task"),
        issue(0x25, status="closed", closed_at=AT.format(7), close_reason="It works", closed_by_session="s1"),
        issue(0x26, status="pinned", _type="issue"),
        issue(0x27, status="our own word"),
        issue(0x28, dependencies=[link("bd-28", "external:other:bd-9", "blocks"), link("bd-28", "bd-29", "blocks")]),
        issue(0x29, dependencies=[link("bd-29", "bd-2a", "waits-for")]),
        issue(0x2A, dependencies=[link("bd-2a", "bd-28", "conditional-blocks")]),  # closes a circle
        issue(0x2B, dependencies=[link("bd-2b", "bd-22", "related"), link("bd-2b", "bd-2b", "blocks")]),
        issue(0x2C, issue_type="decision", title="Use JSON lines", description="They merge well."),
        issue(0x3A, id="bd-2c.1", issue_type="decision", title="No words", description="", comments=[
            {"id": "c-9", "issue_id": "bd-2c.1", "author": "eve", "text": "Why so?", "created_at": AT.format(3)},
        ]),
        issue(0x2D, started_at="1970-01-01T00:00:00Z", due_at="0001-01-01T00:00:00Z", estimated_minutes=30),
        issue(0x2E, description=f"The key is {SECRET}, do not tell"),
        {"_type": "memory", "key": "build-command", "value": "make all"},
        {"_type": "memory", "key": "forgotten", "value": ""},
    ]  # fmt: skip
    return found


def write(path: Path, issues: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in issues), encoding="utf-8")


def store(folder: Path, seed: int) -> Expected:
    """Write a project that uses beads."""
    issues = lines(seed)
    path = folder / ".beads" / "issues.jsonl"
    write(path, issues)
    (folder / ".beads" / "config.yaml").write_text("issue-prefix: bd\n", encoding="utf-8")
    (folder / "src").mkdir()
    (folder / "src" / "main.py").write_text("print('not ours')\n", encoding="utf-8")
    kinds = [one.get("issue_type") for one in issues]
    steps = [one for one in issues if one.get("issue_type") not in ("epic", "decision", None)]
    inner = any("bd-3" in json.dumps(one.get("dependencies", [])) for one in issues)

    def edit() -> str:
        issues[0]["title"] = "The epic, renamed"
        write(path, issues)
        return "The epic, renamed"

    def broken() -> None:
        path.write_bytes(path.read_bytes() + b'{"id": "bd-99", "title": "torn\n[1, 2\n\xff\xfe\n{"id": 3}\n')

    loose = {one["id"] for one in steps if not one["id"].startswith("bd-1.") and "parent-child" not in json.dumps(one)}
    assert inner and loose  # noqa: PT018
    in_outer = {"bd-1", "bd-2"} & {
        found["depends_on_id"]
        for one in issues
        for found in one.get("dependencies", [])
        if found["type"] == "parent-child" and one.get("issue_type") != "epic"
    } | {"bd-1"}
    rows = {
        "workspaces": 1,
        "plans": 3,  # two epics, and what belongs to none
        "phases": 1 + 1 + len(in_outer),  # the inner epic, one of the loose, one of each epic with issues of its own
        "steps": len(steps),
        "plan_notes": 2,
        "knowledge": 4,
        "dependencies": 4,  # of those that lead somewhere: less the external, the circle's last, and that to itself
    }
    assert kinds.count("epic") == 3
    texts = ["größer", "An older comment", "make all", "our own word", "It works", "The epic", "bd-2a", "unknown_field"]
    return Expected("beads", folder, rows, files=2, texts=texts, secrets=[SECRET], edit=edit, broken=broken)
