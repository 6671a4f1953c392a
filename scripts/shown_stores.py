"""Stores to look at: a small one as a day of work leaves it, and one of texts that no page may trip over."""

import shlex
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

Call = Callable[..., Awaitable[dict[str, Any]]]  # tool, action, arguments

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)>\"'><svg onload=alert(3)> {{ 7*7 }} [x](javascript:alert(4)) "
    "![y](http://example.com/p.png) <!-- & &lt;b&gt; \u202eevil\u202c \x07 </textarea></title>"
)
LINE = HOSTILE.replace("\x07", "")
GERMAN = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenverordnung vollständig überprüfen"
JAPANESE = "決済画面の読み込みが遅いので、商品一覧の問い合わせをまとめてから表示を確かめる"
LONG = ("A title of four hundred characters goes on and on, " * 9)[:399] + "."
UNBROKEN = "x" * 300


async def hostile(call: Call, project: Path) -> dict[str, Any]:
    """Store texts that would be markup, scripts or addresses, wherever an agent can store a text."""
    home = {"workspace_id": (await call("memory_workspace", "register", workspace_path=str(project)))["workspace_id"]}
    await call("memory_workspace", "set_display_name", display_name="<b>x</b><script>", **home)
    phases = [
        {"name": LINE, "description": HOSTILE, "approval_required": True,
         "steps": [{"task": HOSTILE, "notes": HOSTILE, "status": "blocked"},
                   {"task": HOSTILE, "depends_on": [0], "notes": f"- {HOSTILE}\n\n| a |\n|:-:|\n| {HOSTILE} |"}]},
    ]  # fmt: skip
    texts = {"goals": [LINE], "success_criteria": [LINE], "description": HOSTILE}
    plan = (await call("memory_plan", "create", title=LINE, phases=phases, **texts, **home))["plan_id"]
    session = await call("memory_agent", "init", plan_id=plan, agent="Mallory")
    me = {"session_id": session["session_id"]}
    await call("memory_plan", "add_note", plan_id=plan, note=HOSTILE, **me)
    await call("memory_session", "send_message", to_agent="human", content=HOSTILE, plan_id=plan, **me)
    await call("memory_agent", "handoff", to_agent="Reviewer", reason=HOSTILE, plan_id=plan, **me)
    await call("memory_context", "append_research", plan_id=plan, filename="a.md", content=HOSTILE, **me)
    data = {HOSTILE: [HOSTILE, {"a": HOSTILE}]}
    item = await call("memory_context", "store", plan_id=plan, type="notes", data=data, **me)
    await call("memory_context", "knowledge_store", slug="evil", title=LINE, content=HOSTILE, **home)
    await call("memory_plan", "add_build_script", script_name="evil", script_command=shlex.quote(LINE), **home)
    await call("memory_program", "create", title=LINE, description=HOSTILE, **home)
    return {**home, "plan_id": plan, "phase": LINE, "item_id": item["item_id"], **me}


async def unwieldy(call: Call, project: Path) -> dict[str, Any]:
    """Store texts that are long, have no place to break, or are of other scripts than Latin."""
    home = {"workspace_id": (await call("memory_workspace", "register", workspace_path=str(project)))["workspace_id"]}
    phases = [
        {"name": GERMAN, "steps": [{"task": LONG, "notes": UNBROKEN}, {"task": JAPANESE, "depends_on": [0]}]},
        {"name": JAPANESE, "steps": [{"task": GERMAN, "status": "failed"}, {"task": UNBROKEN, "depends_on": [1]}]},
    ]
    texts = {"goals": [GERMAN, JAPANESE], "description": f"{LONG}\n\n{UNBROKEN}\n\n```\n{UNBROKEN}\n```"}
    plan = (await call("memory_plan", "create", title=LONG, phases=phases, **texts, **home))["plan_id"]
    for title in (GERMAN, JAPANESE, UNBROKEN):
        await call("memory_plan", "create", title=title, steps=[{"task": title}], **home)
    me = {"session_id": (await call("memory_agent", "init", plan_id=plan, agent="W" * 64))["session_id"]}
    for content in (LONG, JAPANESE, UNBROKEN):
        await call("memory_session", "send_message", to_agent="human", content=content, plan_id=plan, **me)
    await call("memory_agent", "handoff", to_agent="Reviewer", reason=LONG, plan_id=plan, **me)
    await call("memory_context", "store", plan_id=plan, type=GERMAN, data={UNBROKEN: JAPANESE}, **me)
    await call("memory_context", "knowledge_store", slug="long", title=LONG, content=UNBROKEN, **home)
    return {**home, "plan_id": plan, **me}
