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


async def small(call: Call, project: Path) -> dict[str, Any]:
    """Store what a team of agents leaves in a day: work done, under way, stuck, and what waits for a person."""
    home = {"workspace_id": (await call("memory_workspace", "register", workspace_path=str(project)))["workspace_id"]}
    await call("memory_plan", "create", title="Rechnungen als PDF verschicken", priority="low", **home, steps=[
        {"task": "Vorlage mit der Buchhaltung abstimmen", "status": "done"}, {"task": "Schriften einbetten"},
        {"task": "Versand nachts anstoßen"}])  # fmt: skip
    search = await call("memory_plan", "create", title="検索結果を一秒以内に表示する", **home, steps=[
        {"task": "遅い問い合わせを測る"}, {"task": "索引を追加する"}, {"task": "結果を確かめる"}])  # fmt: skip
    old = await call("memory_plan", "create", title="Faster checkout", steps=[{"task": "Cache the basket"}], **home)
    told: dict[str, Any] = {
        "description": "Customers redeem **one voucher a purchase**, at the till and in the web shop.",
        "goals": ["A voucher is redeemed in under two seconds", "No voucher can be used twice"],
        "success_criteria": ["A week in the shop at the harbour without a complaint"],
        "priority": "high",
    }
    plan = await call("memory_plan", "create", title="Vouchers at the till", phases=VOUCHERS, **told, **home)
    plan_id = plan["plan_id"]
    for title in ("Offer sheet for wholesalers", "Stock alerts by mail"):
        await call(
            "memory_plan", "create", title=title, steps=[{"task": "Ask two customers"}, {"task": "Build it"}], **home
        )
    await call("memory_program", "create", title="Spring release", **home)
    for name, about in (("planner", "Vouchers at the till"), ("executor", "the till")):
        me = {"session_id": (await call("memory_agent", "init", plan_id=plan_id, agent=name))["session_id"]}
        if name == "planner":
            await call(
                "memory_context", "append_research", plan_id=plan_id, filename="till-protocol.md", content=TILL, **me
            )
            await call(
                "memory_agent", "handoff", to_agent="executor", reason="The plan is ready", plan_id=plan_id, **me
            )
            await call("memory_agent", "complete", summary=f"Planned {about}", **me)
    for _ in range(4):
        step = (await call("memory_steps", "next", plan_id=plan_id, **me))["next"]
        await call(
            "memory_steps", "update", step_id=step["step_id"], status="done", append_notes="Tests are green.", **me
        )
    step = (await call("memory_steps", "next", plan_id=plan_id, **me))["next"]
    await call("memory_steps", "update", plan_id=plan_id, step_index=7, status="blocked", append_notes=STUCK, **me)
    await call(
        "memory_plan", "add_note", plan_id=plan_id, note="Codes have 10 signs, so that a cashier can type them.", **me
    )
    await call("memory_context", "knowledge_store", slug="till", title="How the till talks to us", content=TILL, **home)
    await call("memory_context", "store", plan_id=plan_id, type="decision", data={"codes": "10 signs"}, **me)
    question = "May a voucher be **split** over two purchases? The till could keep the rest."
    await call("memory_session", "send_message", to_agent="human", content=question, plan_id=plan_id, **me)
    tester = {
        "session_id": (await call("memory_agent", "init", plan_id=search["plan_id"], agent="tester"))["session_id"]
    }
    await call("memory_steps", "next", plan_id=search["plan_id"], **tester)
    await call("memory_steps", "update", plan_id=old["plan_id"], step_index=0, status="done", **tester)
    await call("memory_plan", "update", plan_id=old["plan_id"], status="completed", **tester)
    return {**home, "plan_id": plan_id, "session_id": me["session_id"], "phase": "Try it in one shop"}


VOUCHERS: list[dict[str, Any]] = [
    {"name": "Understand", "steps": [
        {"task": "Read how the till talks to the server"}, {"task": "Measure how long a redemption may take"}]},
    {"name": "Build", "steps": [
        {"task": "Table of vouchers, with the purchase that used each"},
        {"task": "Redeem a voucher once", "depends_on": [2]},
        {"task": "Show what a voucher is worth before it is used", "depends_on": [2]},
        {"task": "Redeem in the web shop", "depends_on": [3]},
        {"task": "Print vouchers at the till", "depends_on": [4]},
        {"task": "Send vouchers by mail", "depends_on": [3]}]},
    {"name": "Try it in one shop", "approval_required": True, "steps": [
        {"task": "Switch it on at the harbour", "depends_on": [5, 6, 7]},
        {"task": "Ask the cashiers after a week", "depends_on": [8]}]},
]  # fmt: skip
TILL = """## What it sends
A redemption is one `POST`, repeated until it is answered, so it has to be safe to repeat.

| field | is |
|---|---|
| `code` | ten signs, no 0 or O |
| `till` | the number of the till |
"""
STUCK = "The mail account of the shop is locked; somebody has to call the provider."
