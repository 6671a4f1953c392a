"""memory_program: what may go wrong, as somebody wrote it down or as it was found."""

from typing import Any

import pytest

from server.db.storage.connection import Database
from tests.conftest import Agent
from tests.tools.program.conftest import PROGRAM, MakePlan

Found = dict[str, Any]


async def risks(agent: Agent, program_id: str, **more: Any) -> list[Found]:
    return (await agent(PROGRAM, "list_risks", program_id=program_id, **more))["risks"]


async def detect(agent: Agent, program_id: str) -> Found:
    return await agent(PROGRAM, "auto_detect_risks", program_id=program_id)


async def stuck(agent: Agent, plan_id: str, index: int, status: str = "blocked", notes: str | None = None) -> None:
    more = {"notes": notes} if notes else {}
    await agent("memory_steps", "update", plan_id=plan_id, step_index=index, status=status, agent="ada", **more)


async def test_a_risk_has_what_it_was_told_and_defaults_for_the_rest(
    agent: Agent, workspace_id: str, program_id: str, plan_of: MakePlan
) -> None:
    plan_id = await plan_of("A", program_id=program_id)
    told = {"description": "d", "severity": "critical", "likelihood": "high", "mitigation": "m", "status": "accepted",
            "risk_type": "functional_conflict", "plan_id": plan_id}  # fmt: skip
    full = await agent(PROGRAM, "add_risk", program_id=program_id, risk_title="Full", **told)
    bare = await agent(PROGRAM, "add_risk", program_id=program_id, risk_title="Bare")

    first, second = await risks(agent, program_id)
    assert {name: first[name] for name in told} == told
    assert (first["risk_id"], first["title"], first["detected_by"]) == (full["risk_id"], "Full", "manual")
    assert (second["risk_id"], second["severity"], second["status"], second["risk_type"]) == (
        bare["risk_id"], "medium", "identified", "dependency_risk",
    )  # fmt: skip
    whole = await agent(PROGRAM, "list_risks", program_id=program_id, risk_id=full["risk_id"])
    assert {name: whole[name] for name in first} == first
    log = await agent("memory_workspace", "history", workspace_id=workspace_id, plan_id=plan_id)
    assert "Risk 'Full'" in log["history"][0]["summary"]


async def test_filters_of_a_list_all_have_to_fit(agent: Agent, program_id: str) -> None:
    for severity, status in (("high", "identified"), ("high", "resolved"), ("low", "identified")):
        await agent(
            PROGRAM, "add_risk", program_id=program_id, risk_title=f"{severity} {status}", severity=severity,
            status=status,
        )  # fmt: skip

    async def titles(**more: Any) -> list[str]:
        return [risk["title"] for risk in await risks(agent, program_id, **more)]

    assert await titles() == ["high identified", "high resolved", "low identified"]
    assert await titles(severity="high", status="identified") == ["high identified"]
    assert await titles(severity="low", status="resolved") == []
    assert await titles(risk_type="schedule_risk") == []


async def test_a_risk_changes_only_where_it_is_told_to(agent: Agent, program_id: str) -> None:
    risk_id = (await agent(PROGRAM, "add_risk", program_id=program_id, risk_title="Late", severity="high"))["risk_id"]
    edit = {"risk_id": risk_id, "status": "mitigated", "mitigation": "more hands"}
    changed = await agent(PROGRAM, "update_risk", expected_version=1, **edit)
    again = await agent(PROGRAM, "update_risk", **edit)

    assert (changed["changed"], changed["version"], again["version"]) == (["mitigation", "status"], 2, 2)
    [risk] = await risks(agent, program_id)
    assert (risk["status"], risk["mitigation"], risk["severity"]) == ("mitigated", "more hands", "high")
    assert (await agent.fails(PROGRAM, "update_risk", expected_version=1, **edit))["code"] == "conflict"
    assert (await agent.fails(PROGRAM, "update_risk", risk_id=risk_id))["code"] == "invalid_arguments"
    assert (await agent.fails(PROGRAM, "update_risk", risk_id=risk_id, plan_id="plan_x"))["code"] == "not_found"
    assert (await agent.fails(PROGRAM, "update_risk", risk_id=risk_id[:-1], status="resolved"))["near"]


async def test_a_deleted_risk_is_previewed_and_comes_back(agent: Agent, program_id: str) -> None:
    risk_id = (await agent(PROGRAM, "add_risk", program_id=program_id, risk_title="Late"))["risk_id"]
    before = await risks(agent, program_id)
    preview = await agent(PROGRAM, "delete_risk", risk_id=risk_id)
    assert (preview["preview"]["would_delete"]["title"], await risks(agent, program_id)) == ("Late", before)

    gone = await agent(PROGRAM, "delete_risk", risk_id=risk_id, confirm=True)
    assert await risks(agent, program_id) == []
    assert (await agent.fails(PROGRAM, "delete_risk", risk_id=risk_id, confirm=True))["code"] == "not_found"
    await agent("memory_workspace", "restore", trash_id=gone["trash_id"])
    assert await risks(agent, program_id) == before


async def test_a_risk_of_a_program_in_the_trash_names_what_to_restore_first(agent: Agent, program_id: str) -> None:
    risk_id = (await agent(PROGRAM, "add_risk", program_id=program_id, risk_title="Late"))["risk_id"]
    risk = await agent(PROGRAM, "delete_risk", risk_id=risk_id, confirm=True)
    program = await agent(PROGRAM, "delete", program_id=program_id, confirm=True)

    error = await agent.fails("memory_workspace", "restore", trash_id=risk["trash_id"])

    assert (error["code"], error["trash_id"]) == ("conflict", program["trash_id"])


async def test_a_plan_or_program_that_does_not_fit_is_refused(agent: Agent, workspace_id: str, program_id: str) -> None:
    risk_id = (await agent(PROGRAM, "add_risk", program_id=program_id, risk_title="Late"))["risk_id"]
    other = (await agent(PROGRAM, "create", workspace_id=workspace_id, title="Other"))["program_id"]
    error = await agent.fails(PROGRAM, "list_risks", program_id=other, risk_id=risk_id)
    assert (error["code"], program_id in error["message"]) == ("invalid_arguments", True)
    error = await agent.fails(PROGRAM, "add_risk", program_id=program_id, risk_title="X", plan_id="plan_nothing")
    assert error["code"] == "not_found"
    for wrong in ({"severity": "huge"}, {"status": "open"}, {"likelihood": "sure"}, {"risk_type": "other"}):
        error = await agent.fails(PROGRAM, "add_risk", program_id=program_id, risk_title="X", **wrong)
        assert error["code"] == "invalid_arguments"


@pytest.mark.parametrize(
    ("notes", "kind"),
    [
        ("merge CONFLICT in the parser", "functional_conflict"),
        ("a breaking-change upstream", "functional_conflict"),
        ("the behaviour differs; a conflict too", "functional_conflict"),
        ("a Regression of the cache", "behavioral_change"),
        ("behavior differs", "behavioral_change"),
        ("waiting for the vendor", "dependency_risk"),
        (None, "dependency_risk"),
    ],
)
async def test_what_blocks_a_step_tells_the_kind_of_the_risk(
    agent: Agent, program_id: str, plan_of: MakePlan, notes: str | None, kind: str
) -> None:
    plan_id = await plan_of("A", "pending", program_id=program_id)
    await stuck(agent, plan_id, 0, notes=notes)

    found = await detect(agent, program_id)

    assert (found["plans_scanned"], found["risks_added"]) == (1, 1)
    [risk] = await risks(agent, program_id)
    assert (risk["title"], risk["risk_type"], risk["severity"]) == ("Blocked: A 0 (A)", kind, "medium")
    assert (risk["detected_by"], risk["plan_id"]) == ("auto", plan_id)
    assert not notes or notes in risk["description"]


async def test_the_same_risk_is_found_once_and_resolved_when_it_is_gone(
    agent: Agent, workspace_id: str, program_id: str, plan_of: MakePlan
) -> None:
    plan_id = await plan_of("A", "pending", "pending", program_id=program_id)
    await stuck(agent, plan_id, 0)
    await stuck(agent, plan_id, 1, status="failed")
    first = await detect(agent, program_id)
    before = await risks(agent, program_id)
    again = await detect(agent, program_id)

    assert (first["risks_added"], again["risks_added"], again["unchanged"]) == (2, 0, 2)
    assert await risks(agent, program_id) == before
    assert [(risk["title"], risk["severity"]) for risk in before] == [
        ("Failed: A 1 (A)", "high"),
        ("Blocked: A 0 (A)", "medium"),
    ]
    log = await agent("memory_workspace", "events", workspace_id=workspace_id, types=["risks_detected"])
    assert len(log["events"]) == 1

    await agent("memory_steps", "update", plan_id=plan_id, step_index=1, task="Renamed")
    changed = await detect(agent, program_id)
    assert changed["changed"] == [before[0]["risk_id"]]
    await stuck(agent, plan_id, 1, status="pending")
    gone = await detect(agent, program_id)
    assert gone["resolved"] == [before[0]["risk_id"]]
    assert [(r["title"], r["status"]) for r in await risks(agent, program_id)] == [
        ("Failed: Renamed (A)", "resolved"),
        ("Blocked: A 0 (A)", "identified"),
    ]

    await stuck(agent, plan_id, 1, status="failed")
    back = await detect(agent, program_id)
    assert (back["risks_added"], back["changed"]) == (0, [before[0]["risk_id"]])
    assert [risk["status"] for risk in await risks(agent, program_id)] == ["identified", "identified"]


async def test_what_somebody_made_of_a_risk_that_was_found_stays(
    agent: Agent, program_id: str, plan_of: MakePlan
) -> None:
    plan_id = await plan_of("A", "pending", program_id=program_id)
    await stuck(agent, plan_id, 0)
    [risk] = (await detect(agent, program_id))["added"]
    mine = {"status": "accepted", "severity": "low", "mitigation": "we wait"}
    await agent(PROGRAM, "update_risk", risk_id=risk["risk_id"], **mine)
    await stuck(agent, plan_id, 0, notes="still waiting for the vendor")

    await detect(agent, program_id)

    [now] = await risks(agent, program_id)
    assert {name: now[name] for name in mine} == mine
    assert "still waiting" in now["description"]


async def test_leases_that_ran_out_and_plans_that_lag_or_failed_are_found(
    agent: Agent, db: Database, program_id: str, plan_of: MakePlan
) -> None:
    left, lagging, failed, fresh, done = [
        await plan_of(title, "pending", program_id=program_id)
        for title in ("Left", "Lagging", "Failed", "Fresh", "Done")
    ]
    await agent("memory_steps", "next", plan_id=left, agent="ada")
    await agent("memory_plan", "update", plan_id=failed, status="failed")
    await stuck(agent, done, 0, status="done")
    await agent("memory_plan", "update", plan_id=done, status="completed")
    async with db.transaction() as tx:
        past = {"past": "2020-01-01T00:00:00.000Z", "lagging": lagging, "done": done}
        await tx.run("UPDATE steps SET lease_expires_at = :past WHERE lease_expires_at IS NOT NULL", past)
        await tx.run("UPDATE plans SET updated_at = :past WHERE plan_id IN (:lagging, :done)", past)

    await detect(agent, program_id)

    found = {risk["plan_id"]: (risk["title"], risk["risk_type"]) for risk in await risks(agent, program_id)}
    assert found == {
        left: ("Abandoned: Left 0 (Left)", "schedule_risk"),
        lagging: ("Overdue: Lagging", "schedule_risk"),
        failed: ("Plan failed: Failed", "dependency_risk"),
    }
    assert fresh not in found


async def test_circles_of_waiting_are_found_with_what_is_in_them(
    agent: Agent, db: Database, program_id: str, plan_of: MakePlan
) -> None:
    a, b = [await plan_of(title, "pending", program_id=program_id) for title in "AB"]
    await agent(PROGRAM, "set_dependency", program_id=program_id, source_plan_id=a, target_plan_id=b)
    step = (await agent("memory_steps", "list", plan_id=b))["steps"][0]["step_id"]
    async with db.transaction() as tx:  # past all that refuses it
        await tx.run(
            """
            INSERT INTO dependencies
                (dependency_id, source_type, source_id, target_type, target_id, created_at, updated_at)
            VALUES ('dep_x', 'step', :step, 'plan', :plan, '', '')
            """,
            {"step": step, "plan": a},
        )

    first, again = await detect(agent, program_id), await detect(agent, program_id)

    [risk] = await risks(agent, program_id)
    assert (first["risks_added"], again["risks_added"], risk["severity"]) == (1, 0, "critical")
    assert all(name in risk["description"] for name in (a, b, step))
    async with db.transaction() as tx:
        await tx.run("DELETE FROM dependencies WHERE dependency_id = 'dep_x'")
    assert (await detect(agent, program_id))["resolved"] == [risk["risk_id"]]


async def test_a_program_without_trouble_has_no_risks(agent: Agent, program_id: str, plan_of: MakePlan) -> None:
    await plan_of("A", "pending", "done", program_id=program_id)
    found = await detect(agent, program_id)

    assert (found["plans_scanned"], found["found"], await risks(agent, program_id)) == (1, 0, [])
