"""Risks are found by what they say, and by what is to be done about them."""

from typing import Any

from tests.conftest import Agent


async def found(agent: Agent, words: str, **more: Any) -> list[dict[str, Any]]:
    return (await agent("memory_context", "search", query=words, types=["risk"], **more))["hits"]


async def test_a_risk_is_found_read_followed_and_forgotten(agent: Agent, workspace_id: str) -> None:
    here = {"workspace_id": workspace_id}
    program = (await agent("memory_program", "create", title="A fleet", **here))["program_id"]
    risk = await agent(
        "memory_program", "add_risk", program_id=program, risk_title="Zephyrs may fail",
        description="No wind in August", mitigation="Carry oars",
    )  # fmt: skip

    [hit] = await found(agent, "zephyrs", **here)
    assert (hit["kind"], hit["risk_id"], hit["status"]) == ("risk", risk["risk_id"], "identified")
    call = dict(hit["read"])
    whole = await agent(call.pop("tool"), call.pop("action"), **call)
    assert whole["mitigation"] == "Carry oars"
    assert [one["risk_id"] for one in await found(agent, "oars", **here)] == [risk["risk_id"]]
    [pulled] = (await agent("memory_context", "pull", selectors=[{"kind": "risk", "id": risk["risk_id"]}], **here))[
        "items"
    ]
    assert "No wind in August" in str(pulled)

    await agent("memory_program", "update_risk", risk_id=risk["risk_id"], risk_title="Doldrums", mitigation="Wait")
    assert await found(agent, "zephyrs", **here) == []
    [moved] = await found(agent, "doldrums", **here)
    assert moved["risk_id"] == risk["risk_id"]

    gone = await agent("memory_program", "delete_risk", risk_id=risk["risk_id"], confirm=True)
    assert await found(agent, "doldrums", **here) == []
    await agent("memory_workspace", "restore", trash_id=gone["trash_id"])
    assert len(await found(agent, "doldrums", **here)) == 1


async def test_a_risk_of_another_workspace_is_not_found(agent: Agent, workspace_id: str, tmp_path: Any) -> None:
    (tmp_path / "other").mkdir()
    other = (await agent("memory_workspace", "register", workspace_path=str(tmp_path / "other")))["workspace_id"]
    program = (await agent("memory_program", "create", title="A fleet", workspace_id=other))["program_id"]
    await agent("memory_program", "add_risk", program_id=program, risk_title="Zephyrs may fail")

    assert await found(agent, "zephyrs", workspace_id=workspace_id) == []
    assert len(await found(agent, "zephyrs", workspace_id=workspace_id, scope="all")) == 1
