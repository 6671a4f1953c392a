"""memory_context: knowledge is kept under slugs, in lines of versions of which one is current."""

import json
from pathlib import Path
from typing import Any

import pytest

from server.db.storage.connection import Database
from server.settings import Settings
from server.store import open_store
from tests.conftest import Agent, tick

pytestmark = pytest.mark.any_transport

TOOL = "memory_context"


async def store(call: Agent, workspace_id: str, slug: str, **more: Any) -> dict[str, Any]:
    given = {"title": slug.title(), "content": f"about {slug}", **more}
    return await call(TOOL, "knowledge_store", workspace_id=workspace_id, slug=slug, **given)


async def slugs(agent: Agent, workspace_id: str, **more: Any) -> list[str]:
    listed = await agent(TOOL, "knowledge_list", workspace_id=workspace_id, **more)
    return [row["slug"] for row in listed["knowledge"]]


async def links(agent: Agent, workspace_id: str) -> dict[str, tuple[str | None, str | None]]:
    """What every entry supersedes, and what it is superseded by."""
    found: dict[str, tuple[str | None, str | None]] = {}
    for slug in await slugs(agent, workspace_id, include_superseded=True):
        entry = await agent(TOOL, "knowledge_get", workspace_id=workspace_id, slug=slug)
        found[slug] = entry.get("supersedes"), entry.get("superseded_by")
    return found


async def remove(agent: Agent, workspace_id: str, slug: str) -> str:
    gone = await agent(TOOL, "knowledge_delete", workspace_id=workspace_id, slug=slug, confirm=True)
    return gone["trash_id"]


async def test_an_entry_comes_back_as_it_was_stored(agent: Agent, workspace_id: str, settings: Settings) -> None:
    content = 'line\n\t"quoted" \u200b 設計 \U0001f600'
    stored = await store(
        agent, workspace_id, "retry-policy", content=content, category="convention", tags=["http"], agent="coder"
    )
    got = await agent(TOOL, "knowledge_get", workspace_id=workspace_id, slug="retry-policy")

    assert stored == {
        "slug": "retry-policy",
        "knowledge_id": got["knowledge_id"],
        "workspace_id": workspace_id,
        "version": 1,
        "created": True,
        "bytes": len(content.encode()),
    }
    assert (got["content"], got["category"], got["tags"]) == (content, "convention", ["http"])
    assert (got["created_by_agent"], got["title"]) == ("coder", "Retry-Policy")
    db = await open_store(settings)
    assert await db.value("SELECT content FROM knowledge") == content
    await db.close()


async def test_storing_again_changes_the_entry_and_keeps_what_is_not_said(agent: Agent, workspace_id: str) -> None:
    first = await store(agent, workspace_id, "a", category="schema", tags=["x"], agent="one")
    again = await store(agent, workspace_id, "a", title=" New ", content="new", agent="two")
    got = await agent(TOOL, "knowledge_get", workspace_id=workspace_id, slug="a")
    await store(agent, workspace_id, "a", tags=[])

    assert (again["updated"], again["version"], again["knowledge_id"]) == (True, 2, first["knowledge_id"])
    assert (got["title"], got["content"], got["category"], got["tags"]) == ("New", "new", "schema", ["x"])
    assert got["created_by_agent"] == "one"
    assert "tags" not in await agent(TOOL, "knowledge_get", workspace_id=workspace_id, slug="a")


async def test_a_stale_version_is_refused(agent: Agent, workspace_id: str) -> None:
    asked = {"workspace_id": workspace_id, "slug": "a", "title": "A", "content": "a"}
    early = await agent.fails(TOOL, "knowledge_store", expected_version=1, **asked)
    await agent(TOOL, "knowledge_store", **asked)
    await agent(TOOL, "knowledge_store", expected_version=1, **asked)
    stale = await agent.fails(TOOL, "knowledge_store", expected_version=1, **asked)
    kept = await agent.fails(TOOL, "knowledge_delete", workspace_id=workspace_id, slug="a", expected_version=1)

    assert early["code"] == stale["code"] == kept["code"] == "conflict"
    assert stale["version"] == 2


@pytest.mark.parametrize("slug", ["a", "0", "a--b", "a-1", "x" * 100])
async def test_a_slug_is_lower_case_letters_digits_and_dashes(agent: Agent, workspace_id: str, slug: str) -> None:
    assert (await store(agent, workspace_id, slug))["slug"] == slug


@pytest.mark.parametrize("slug", ["-a", "a-", "A", "a_b", "a.b", "a b", "ä", "", "-", "x" * 101])
async def test_any_other_slug_is_refused(agent: Agent, workspace_id: str, slug: str) -> None:
    error = await agent.fails(
        TOOL, "knowledge_store", workspace_id=workspace_id, slug=slug, title="T", content="c", category="nope"
    )

    assert error["code"] == "invalid_arguments"
    assert [problem["param"] for problem in error["invalid"]] == ["slug", "category"]


async def test_content_takes_256_kib(agent: Agent, workspace_id: str) -> None:
    most = "ä" * (128 * 1024)
    await store(agent, workspace_id, "big", content=most)
    error = await agent.fails(
        TOOL, "knowledge_store", workspace_id=workspace_id, slug="big", title="T", content=most + "a"
    )

    assert error["code"] == "too_large"
    assert "append_research" in error["message"]


async def test_a_workspace_takes_100_current_entries(agent: Agent, workspace_id: str, db: Database) -> None:
    await store(agent, workspace_id, "e-0")
    async with db.transaction() as tx:
        await tx.run(
            """
            INSERT INTO knowledge (knowledge_id, workspace_id, slug, title, content, created_at, updated_at)
            SELECT 'know_' || value, workspace_id, 'e-' || value, title, content, created_at, updated_at
            FROM knowledge, json_each(:more)
            """,
            {"more": json.dumps(list(range(1, 100)))},
        )
    asked = {"workspace_id": workspace_id, "slug": "one-more", "title": "T", "content": "c"}
    error = await agent.fails(TOOL, "knowledge_store", **asked)
    await store(agent, workspace_id, "e-7", content="an update fits")
    await agent(TOOL, "knowledge_store", **asked, supersedes="e-8")

    assert error["code"] == "conflict"
    assert "knowledge_delete" in error["message"]


async def test_what_supersedes_takes_the_place_and_is_linked_both_ways(agent: Agent, workspace_id: str) -> None:
    await store(agent, workspace_id, "port-2024", content="8080")
    told = await store(agent, workspace_id, "port-2025", content="9090", supersedes="port-2024")
    again = await store(agent, workspace_id, "port-2025", content="9091", supersedes="port-2024")

    assert told["supersedes"] == again["supersedes"] == "port-2024"
    assert await slugs(agent, workspace_id) == ["port-2025"]
    assert await links(agent, workspace_id) == {"port-2025": ("port-2024", None), "port-2024": (None, "port-2025")}
    assert (await agent(TOOL, "knowledge_get", workspace_id=workspace_id, slug="port-2024"))["content"] == "8080"


async def test_versions_stay_in_a_line(agent: Agent, workspace_id: str) -> None:
    await store(agent, workspace_id, "a")
    await store(agent, workspace_id, "b", supersedes="a")
    await store(agent, workspace_id, "other")

    async def refused(slug: str, supersedes: str | None = None) -> dict[str, Any]:
        asked = {"workspace_id": workspace_id, "slug": slug, "title": "T", "content": "c", "supersedes": supersedes}
        return await agent.fails(TOOL, "knowledge_store", **asked)

    assert (await refused("c", "a"))["superseded_by"] == "b"
    assert (await refused("a"))["superseded_by"] == "b"
    assert (await refused("a", "b"))["code"] == "conflict"
    assert (await refused("b", "other"))["supersedes"] == "a"
    assert (await refused("b", "b"))["code"] == "invalid_arguments"
    assert (await refused("c", "nothing"))["code"] == "not_found"
    assert await links(agent, workspace_id) == {"other": (None, None), "b": ("a", None), "a": (None, "b")}


async def test_deleting_shows_first_what_would_go(agent: Agent, workspace_id: str) -> None:
    await store(agent, workspace_id, "a")
    await store(agent, workspace_id, "b", supersedes="a")
    preview = await agent(TOOL, "knowledge_delete", workspace_id=workspace_id, slug="b")

    assert preview["preview"]["would_delete"]["current_again"] == "a"
    assert await slugs(agent, workspace_id) == ["b"]


@pytest.mark.parametrize("removed", [["a"], ["b"], ["c"], ["a", "b"], ["b", "a"], ["b", "c"], ["c", "b", "a"]])
async def test_what_is_removed_comes_back_between_its_neighbours(
    agent: Agent, workspace_id: str, removed: list[str]
) -> None:
    await store(agent, workspace_id, "a")
    await store(agent, workspace_id, "b", supersedes="a")
    await store(agent, workspace_id, "c", supersedes="b")
    before = await links(agent, workspace_id)
    trashed = [await remove(agent, workspace_id, slug) for slug in removed]
    left = [slug for slug in "abc" if slug not in removed]
    between = await links(agent, workspace_id)
    for trash_id in reversed(trashed):
        await agent("memory_workspace", "restore", trash_id=trash_id)

    assert between == {
        slug: (left[n - 1] if n else None, left[n + 1] if n + 1 < len(left) else None) for n, slug in enumerate(left)
    }
    assert await links(agent, workspace_id) == before


async def test_what_comes_back_does_not_push_out_what_took_its_place(agent: Agent, workspace_id: str) -> None:
    await store(agent, workspace_id, "a")
    await store(agent, workspace_id, "b", supersedes="a")
    trash_id = await remove(agent, workspace_id, "b")
    await store(agent, workspace_id, "c", supersedes="a")
    await agent("memory_workspace", "restore", trash_id=trash_id)
    await store(agent, workspace_id, "d")

    assert await links(agent, workspace_id) == {
        "a": (None, "c"),
        "b": (None, None),
        "c": ("a", None),
        "d": (None, None),
    }
    slug_taken = await remove(agent, workspace_id, "d")
    await store(agent, workspace_id, "d")
    error = await agent.fails("memory_workspace", "restore", trash_id=slug_taken)
    assert error["code"] == "conflict"


async def test_an_unknown_slug_is_answered_with_the_nearest(agent: Agent, workspace_id: str) -> None:
    await store(agent, workspace_id, "retry-policy", title="How often")
    for action in ("knowledge_get", "knowledge_delete"):
        error = await agent.fails(TOOL, action, workspace_id=workspace_id, slug="retry_policy")
        assert error["code"] == "not_found"
        assert error["near"] == [{"slug": "retry-policy", "title": "How often"}]


async def test_the_list_is_filtered_and_paged_newest_first(agent: Agent, workspace_id: str) -> None:
    for slug, category, tags in (("a-1", "schema", ["x", "y"]), ("a-2", "config", ["x"]), ("b-1", "schema", [])):
        await store(agent, workspace_id, slug, category=category, tags=tags)
    first = await agent(TOOL, "knowledge_list", workspace_id=workspace_id, limit=2)
    second = await agent(TOOL, "knowledge_list", workspace_id=workspace_id, limit=2, cursor=first["next_cursor"])

    assert [row["slug"] for row in (*first["knowledge"], *second["knowledge"])] == ["b-1", "a-2", "a-1"]
    assert first["total"] == 3
    assert "content" not in first["knowledge"][0]
    assert first["knowledge"][0]["bytes"] == len("about b-1")
    assert await slugs(agent, workspace_id, category="schema") == ["b-1", "a-1"]
    assert await slugs(agent, workspace_id, tags=["x", "y"]) == ["a-1"]
    assert await slugs(agent, workspace_id, prefix="a-") == ["a-2", "a-1"]


async def test_who_made_an_entry_and_for_which_plan_is_known(agent: Agent, workspace_id: str, tmp_path: Path) -> None:
    plan_id = (await agent("memory_plan", "create", workspace_id=workspace_id, title="P", category="advisory"))[
        "plan_id"
    ]
    session_id = (await agent("memory_agent", "init", agent="archivist", plan_id=plan_id))["session_id"]
    await agent(TOOL, "knowledge_store", session_id=session_id, slug="mine", title="M", content="m")
    await store(agent, workspace_id, "theirs", created_by_agent="researcher", created_by_plan=plan_id, agent="x")
    (tmp_path / "other").mkdir()
    other = (await agent("memory_workspace", "register", workspace_path=str(tmp_path / "other")))["workspace_id"]
    foreign = {"slug": "no", "title": "T", "content": "c", "workspace_id": other, "created_by_plan": plan_id}

    mine, theirs = [
        await agent(TOOL, "knowledge_get", workspace_id=workspace_id, slug=slug) for slug in ("mine", "theirs")
    ]
    assert (mine["created_by_agent"], mine["created_by_plan"]) == ("archivist", plan_id)
    assert (theirs["created_by_agent"], theirs["created_by_plan"]) == ("researcher", plan_id)
    assert (await agent.fails(TOOL, "knowledge_store", **foreign))["code"] == "conflict"


async def test_a_briefing_names_research_and_current_knowledge(agent: Agent, workspace_id: str) -> None:
    made = [await agent("memory_plan", "create", workspace_id=workspace_id, title=title) for title in ("A", "B")]
    plan_id, other = (plan["plan_id"] for plan in made)
    for number in range(12):
        await store(agent, workspace_id, f"k-{number}", title="T" * 200)
    await store(agent, workspace_id, "of-plan", created_by_plan=plan_id)
    tick()
    await store(agent, workspace_id, "k-new", supersedes="k-11")
    await agent(TOOL, "append_research", plan_id=plan_id, filename="a.md", content="x")
    await agent(TOOL, "append_research", plan_id=other, filename="b.md", content="x")
    here = {"workspace_id": workspace_id, "parent_type": "workspace"}
    await agent(TOOL, "append_research", filename="c.md", content="x", **here)
    told = await agent("memory_agent", "init", agent="coder", plan_id=plan_id)

    assert [row["filename"] for row in told["research"]] == ["a.md", "c.md"]
    assert [row["slug"] for row in told["knowledge"]] == ["of-plan", "k-new", *(f"k-{n}" for n in range(10, 2, -1))]
    assert told["knowledge"][2]["title"] == "T" * 100
    assert told["omitted"]["knowledge"] == "3 more: memory_context knowledge_list"


async def test_workspaces_keep_their_knowledge_apart(agent: Agent, workspace_id: str, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = (await agent("memory_workspace", "register", workspace_path=str(tmp_path / "other")))["workspace_id"]
    await store(agent, workspace_id, "same", content="here")
    await store(agent, other, "same", content="there")

    assert (await agent(TOOL, "knowledge_get", workspace_id=workspace_id, slug="same"))["content"] == "here"
    assert (await agent(TOOL, "knowledge_get", workspace_id=other, slug="same"))["content"] == "there"


async def test_every_change_is_in_the_history(agent: Agent, workspace_id: str) -> None:
    await store(agent, workspace_id, "a", agent="coder")
    await store(agent, workspace_id, "b", supersedes="a", agent="coder")
    await remove(agent, workspace_id, "b")
    told = (await agent("memory_workspace", "history", workspace_id=workspace_id))["history"]
    events = (await agent("memory_workspace", "events", workspace_id=workspace_id))["events"]

    assert [row["summary"] for row in told][:4] == [
        "knowledge 'b' deleted",
        "knowledge 'a' superseded by 'b'",
        "knowledge 'b' stored",
        "knowledge 'a' stored",
    ]
    assert [event["type"] for event in events if event["entity_type"] == "knowledge"] == [
        "knowledge_stored",
        "knowledge_stored",
        "knowledge_superseded",
        "knowledge_deleted",
    ]
