"""What pages show of how work goes on: burndowns, graphs of programs, who had the ball when."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

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
