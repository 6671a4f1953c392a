"""What pages show of how work goes on: burndowns, graphs of programs, who had the ball when."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from server.db.upkeep import last_findings
from server.web import charts
from tests.served import Served

TODAY = datetime.now(UTC).date()


async def call(http: httpx2.AsyncClient, tool: str, action: str, **arguments: Any) -> dict[str, Any]:
    answer = await http.post(f"/api/tools/{tool}/{action}", json=arguments)
    assert answer.status_code == 200, answer.text
    return answer.json()


def on(days_ago: int) -> str:
    return (TODAY - timedelta(days=days_ago)).isoformat()


async def worked_on(served: Served, plan_id: str) -> None:
    """Make a plan one on which a step was done on each of the last twenty days; two came late, and one went."""
    async with (await served.site.state.store.open()).transaction() as tx:
        await tx.run("DELETE FROM step_counts")
        rows = [(20, 26, 0, 0), *((ago, 0, 0, 1) for ago in range(19, 0, -1)), (5, 2, 1, 1)]
        for ago, added, dropped, finished in rows:
            await tx.run(
                """
                INSERT OR REPLACE INTO step_counts (plan_id, day, added, dropped, finished)
                VALUES (:plan_id, :day, :added, :dropped, :finished)
                """,
                {"plan_id": plan_id, "day": on(ago), "added": added, "dropped": dropped, "finished": finished},
            )


async def a_plan(http: httpx2.AsyncClient, project: Path, steps: int = 8, **more: Any) -> dict[str, Any]:
    home = await call(http, "memory_workspace", "register", workspace_path=str(project))
    plan = await call(
        http, "memory_plan", "create", workspace_id=home["workspace_id"], title="A boat",
        steps=[{"task": f"plank {n}"} for n in range(steps)], **more,
    )  # fmt: skip
    return {"workspace_id": home["workspace_id"], "plan_id": plan["plan_id"]}


async def test_a_plan_and_the_statistics_show_how_open_steps_go_down(served: Served, project: Path) -> None:
    async with served.http(await served.token("Builder")) as http:
        known = await a_plan(http, project)
        await worked_on(served, known["plan_id"])
        told = await call(http, "memory_plan", "burndown", plan_id=known["plan_id"])
    browser = await served.owner()

    plan = (await browser.get(f"/p/{known['plan_id']}")).text
    statistics = (await browser.get("/statistics")).text
    named = (await browser.get(f"/statistics?workspace={known['workspace_id']}")).text

    assert told["forecast"]["likely"] > TODAY.isoformat()
    for page in (plan, statistics, named):
        assert told["forecast"]["likely"] in page
        assert 'class="burnt"' in page
        assert f"{on(5)}: 2 added, 1 dropped" in page
        for week in told["weeks"]:
            cells = "".join(
                rf'<td class="num">{week[name]}</td>' for name in ("open", "finished", "added", "dropped", "reopened")
            )
            assert re.search(rf'<th scope="row">{week["week"]}</th>{cells}', page)


async def test_a_plan_of_today_says_that_nothing_can_be_foretold(served: Served, project: Path) -> None:
    async with served.http(await served.token("Builder")) as http:
        known = await a_plan(http, project)
    browser = await served.owner()

    plan = (await browser.get(f"/p/{known['plan_id']}")).text

    assert "<b>8</b> open. No expected end: not enough data" in plan
    assert 'class="burnt"' not in plan


async def test_the_statistics_of_an_empty_store_are_there(served: Served) -> None:
    browser = await served.owner()

    assert "Throughput" not in (await browser.get("/statistics")).text


def day(ago: int, still_open: int, **some: int) -> dict[str, Any]:
    return {"day": on(ago), "open": still_open, "added": 0, "dropped": 0, "finished": 0, "reopened": 0, **some}


def test_a_burndown_goes_down_in_steps_and_fans_out_to_its_ends() -> None:
    days = [day(2, 6, finished=2, added=2), day(5, 6, finished=4), day(10, 10, added=10)]
    forecast = {"early": on(-2), "likely": on(-4), "late": on(-300)}

    drawn = charts.burn({"days": days, "open": 6, "forecast": forecast}, TODAY.isoformat())

    assert drawn
    ys = [float(y) for y in re.findall(r"V([\d.]+)", drawn.line)]
    xs = [float(x) for x in re.findall(r"H([\d.]+)", drawn.line)]
    assert xs == sorted(xs)
    assert ys[0] < ys[1] == ys[2]  # down is a greater y
    assert [mark["day"] for mark in drawn.marks] == [on(2)]
    assert [(ray["name"], ray["is_cut"]) for ray in drawn.rays] == [("early", False), ("likely", False), ("late", True)]
    ends = [[float(number) for number in re.findall(r"[\d.]+", ray["d"])][2:] for ray in drawn.rays]
    floor = next(level["y"] for level in drawn.levels if level["number"] == 0)
    assert [y for _, y in ends[:2]] == [floor, floor]
    assert ends[0][0] < ends[1][0] < ends[2][0] <= drawn.width
    assert ends[2][1] < floor
    assert drawn.today > xs[1]


def test_what_happened_on_one_day_is_no_drawing() -> None:
    assert charts.burn({"days": [day(0, 3, added=3)], "open": 3, "forecast": {}}, TODAY.isoformat()) is None
    assert charts.burn({"days": [], "open": 3, "forecast": {}}, TODAY.isoformat()) is None


async def a_program(http: httpx2.AsyncClient, project: Path) -> dict[str, Any]:
    """A program of four plans: the ship waits for hull and sails, the hull (6 steps) for wood; a survey is outside."""
    home = (await call(http, "memory_workspace", "register", workspace_path=str(project)))["workspace_id"]
    program = (await call(http, "memory_program", "create", workspace_id=home, title="A fleet"))["program_id"]
    known = {"program": program, "home": home}
    for title, steps in (("wood", 2), ("hull", 6), ("sails", 3), ("ship", 1), ("survey", 1)):
        phases = [{"name": "Cut", "steps": [{"task": f"{title} {n}"} for n in range(steps)]}]
        made = await call(http, "memory_plan", "create", workspace_id=home, title=title.title(), phases=phases)
        known[title] = made["plan_id"]
        if title != "survey":
            await call(http, "memory_program", "add_plan", program_id=program, plan_id=made["plan_id"])
    for source, target, more in (
        ("ship", "hull", {}), ("ship", "sails", {"target_phase": "Cut"}), ("hull", "wood", {}), ("wood", "survey", {}),
    ):  # fmt: skip
        await call(
            http, "memory_program", "set_dependency", program_id=program,
            source_plan_id=known[source], target_plan_id=known[target], **more,
        )  # fmt: skip
    await call(http, "memory_program", "add_risk", program_id=program, risk_title="Storm", severity="high")
    return known


async def test_a_program_shows_what_its_plans_wait_for_and_which_way_is_the_longest(
    served: Served, project: Path
) -> None:
    async with served.http(await served.token("Builder")) as http:
        known = await a_program(http, project)
    browser = await served.owner()

    page = (await browser.get(f"/g/{known['program']}")).text
    moved = await browser.get(f"/e/{known['program']}")

    assert moved.headers["location"] == f"/g/{known['program']}"
    assert page.count('<rect class="box') == 5
    assert page.count('class="line') - page.count('class="lines"') == 4
    ways = re.findall(r'<rect class="box [^"]* critical" x="(\d+)" y="\d+"[^>]*/><svg[^>]*><text y="19">(\w+)', page)
    assert [name for _, name in sorted(ways, key=lambda way: int(way[0]))] == ["Survey", "Wood", "Hull", "Ship"]
    listed = re.sub(r"<[^>]+>|\s+", " ", page[page.index("As a list") :])
    listed = re.sub(r" +", " ", listed)
    assert "Ship waiting critical path waits for Hull waits for Sails (done with the phase Cut )" in listed.replace(
        "Cut)", "Cut )"
    )
    assert "Hull waiting critical path waits for Wood unblocks Ship" in listed
    assert f'href="/p/{known["hull"]}"' in page
    assert "Storm" in page


async def test_a_program_that_waits_as_a_whole_waits_with_its_first_plans(served: Served, project: Path) -> None:
    async with served.http(await served.token("Builder")) as http:
        known = await a_program(http, project)
        other = (
            await call(http, "memory_program", "create", workspace_id=known["home"], title="A harbour")
        )["program_id"]  # fmt: skip
        await call(
            http, "memory_program", "set_dependency", program_id=known["program"], target_program_id=other
        )  # fmt: skip
        last = await call(http, "memory_program", "create", workspace_id=known["home"], title="A voyage")
        await call(
            http, "memory_program", "set_dependency",
            program_id=last["program_id"], target_program_id=known["program"],
        )  # fmt: skip
    browser = await served.owner()

    page = re.sub(r"<[^>]+>", " ", (await browser.get(f"/g/{known['program']}")).text)
    page = re.sub(r"\s+", " ", page[page.index("As a list") :])

    assert "Sails waiting waits for A harbour unblocks Ship" in page
    assert "unblocks A voyage" in page


async def test_a_program_without_plans_says_so(served: Served, project: Path) -> None:
    async with served.http(await served.token("Builder")) as http:
        home = (await call(http, "memory_workspace", "register", workspace_path=str(project)))["workspace_id"]
        made = await call(http, "memory_program", "create", workspace_id=home, title="Empty")
    browser = await served.owner()

    page = (await browser.get(f"/g/{made['program_id']}")).text

    assert "No plan waits for another" in page
    assert "No plan is in it yet" in page


def node(name: str, weight: int = 1, *, is_over: bool = False) -> dict[str, Any]:
    return {
        "id": name, "index": 0, "name": name, "status": "", "is_over": is_over, "weight": weight, "href": "",
    }  # fmt: skip


def test_the_critical_path_is_the_one_with_the_most_to_do() -> None:
    nodes = [node("a"), node("b", 9), node("c"), node("d"), node("e", 50, is_over=True)]
    edges = [("a", "c"), ("c", "d"), ("b", "d"), ("e", "d")]

    assert charts.critical(nodes, edges) == ["b", "d"]
    assert charts.critical(nodes, [("a", "c"), ("c", "a")]) == []
    assert charts.critical(nodes, []) == []
    assert [box["critical"] for box in charts.graph(nodes, edges).boxes] == [False, True, False, True, False]


@pytest.mark.parametrize("minutes", [1, 4, 10, 60, 3000])
def test_the_hours_below_a_timeline_differ(minutes: int) -> None:
    session = {"session_id": "s", "agent": "a", "status": "active", "started_at": "2026-03-01T10:00:00.000Z"}
    now = datetime(2026, 3, 1, 10, tzinfo=UTC) + timedelta(minutes=minutes)
    drawn = charts.timeline({"sessions": [session], "now": now.isoformat()})

    assert drawn
    assert len({tick["at"] for tick in drawn.ticks}) == 5


async def test_timelines_show_who_had_the_ball(served: Served, project: Path) -> None:
    async with served.http(await served.token("Builder")) as http:
        known = await a_plan(http, project)
        here = {"plan_id": known["plan_id"]}
        ada = {"session_id": (await call(http, "memory_agent", "init", agent="ada", **here))["session_id"]}
        await call(http, "memory_agent", "init", agent="bob", **here)
        for index in (0, 1):
            await call(http, "memory_steps", "claim", step_index=index, **here, **ada)
        await call(http, "memory_steps", "update", step_index=0, status="done", **here, **ada)
        told = {"to_agent": "bob", "reason": "a <b>saw</b> is needed", "pass_claims": True}
        await call(http, "memory_agent", "handoff", **told, **here, **ada)
    async with (await served.site.state.store.open()).transaction() as tx:
        await tx.run(
            "UPDATE sessions SET last_seen_at = started_at, status = 'orphaned' WHERE session_id = :session_id", ada
        )
    browser = await served.owner()

    plan = (await browser.get(f"/p/{known['plan_id']}")).text
    for path in (f"/p/{known['plan_id']}/timeline", f"/w/{known['workspace_id']}/timeline"):
        page = (await browser.get(path)).text

        assert page.count('<rect class="bar') == 2
        assert page.count('<rect class="held"') == 3
        assert page.count('<path class="given"') == 1
        assert page.count('class="crash"') == 1
        text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
        assert "ada → bob hand-off : a &lt;b&gt;saw&lt;/b&gt; is needed" in text
        assert "bob held plank 1 now" in text
        assert ": done" in text
        assert "fell silent" in text
    assert f'href="/p/{known["plan_id"]}/timeline"' in plan


async def test_a_plan_shows_the_risks_of_its_program_and_the_plans_around_it_by_name(
    served: Served, project: Path
) -> None:
    async with served.http(await served.token("Builder")) as http:
        known = await a_program(http, project)
    browser = await served.owner()

    page = (await browser.get(f"/p/{known['hull']}")).text

    assert "Storm" in page
    assert f'Waits for <a href="/p/{known["wood"]}">Wood</a>' in page
    assert f'Waited for by <a href="/p/{known["ship"]}">Ship</a>' in page


async def test_the_inbox_shows_what_the_daily_look_at_the_store_found(served: Served, project: Path) -> None:
    async with served.http(await served.token("Builder")) as http:
        await a_plan(http, project)
    found = {"name": "backup-old", "what": "The last is <b>old</b>.", "severity": "warning", "why": "It would be lost."}
    await last_findings.store(
        await served.site.state.store.open(), [{**found, "command": "project-memory backup", "advice": None}]
    )
    browser = await served.owner()

    page = (await browser.get("/")).text

    assert "<title>(1) Inbox" in page
    assert "The last is &lt;b&gt;old&lt;/b&gt;." in page
    assert "<pre>project-memory backup</pre>" in page


async def test_the_inbox_shows_each_workspace_that_needs_somebody(served: Served, tmp_path: Path) -> None:
    async with served.http(await served.token("Builder")) as http:
        for name in ("one", "two", "calm"):
            (tmp_path / name).mkdir()
            known = await a_plan(http, tmp_path / name)
            if name != "calm":
                step = {
                    "plan_id": known["plan_id"],
                    "step_index": 0,
                    "status": "blocked",
                    "append_notes": f"{name} key",
                }
                await call(http, "memory_steps", "update", **step)
    browser = await served.owner()

    page = (await browser.get("/")).text

    assert "<title>(2) Inbox" in page
    assert page.count('<section class="home"') == 2
    assert "one key" in page
    assert "two key" in page
