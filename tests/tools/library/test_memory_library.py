"""memory_library: what there is, and what people and agents make of it."""

import pytest
from mcp import Client

from server.db.library import seed
from server.db.storage.connection import Database
from server.models.library import AgentDefinition
from server.protocol.app import build
from server.settings import Settings
from server.text.front_matter import parsed
from tests.conftest import Agent

pytestmark = pytest.mark.any_transport

TOOL = "memory_library"
SKILL = """---
name: release
description: "How to release: tag, build, tell"
license: MIT
metadata:
  category: deployment
  tags: "release, tags"
  author: Ada
---
# Release

1. Tag it.
"""


async def release(agent: Agent, **more: object) -> dict[str, object]:
    return await agent(TOOL, "create", kind="skill", name="release", content=SKILL, **more)


async def test_a_list_tells_what_ships_without_the_texts(agent: Agent) -> None:
    found = await agent(TOOL, "list", kind="agent", limit=200)

    assert found["total"] == len(found["definitions"]) == 16
    worker = next(row for row in found["definitions"] if row["name"] == "Worker")
    assert (worker["source"], worker["version"], worker["kind"]) == ("shipped", 1, "agent")
    assert "content" not in worker


async def test_a_list_goes_on_with_its_cursor_and_is_narrowed_by_words_category_and_tags(agent: Agent) -> None:
    await release(agent)
    first = await agent(TOOL, "list", kind="agent", limit=10)
    rest = await agent(TOOL, "list", kind="agent", limit=10, cursor=first["next_cursor"])
    names = [row["name"] for row in first["definitions"] + rest["definitions"]]
    assert (len(names), names) == (16, sorted(names, key=str.lower))
    assert "next_cursor" not in rest

    for narrow in ({"query": "release deployment building"}, {"category": "Deployment"}, {"tags": ["Release"]}):
        rows = (await agent(TOOL, "list", kind="skill", **narrow))["definitions"]
        assert [row["name"] for row in rows] == ["release"], narrow
    assert (await agent(TOOL, "list", kind="skill", query="release unicorns"))["total"] == 0


async def test_what_was_made_is_read_whole_as_the_file_it_is(agent: Agent) -> None:
    made = await release(agent)
    assert (made["source"], made["version"]) == ("user", 1)
    found = await agent(TOOL, "get", kind="skill", name="Release")

    assert parsed(found["content"]) == parsed(SKILL)
    assert (found["category"], found["tags"], found["source"]) == ("deployment", ["release", "tags"], "user")


async def test_a_long_text_comes_in_pieces(agent: Agent) -> None:
    body = "\n".join(f"{number}. Größe 📏" for number in range(3000))
    await agent(TOOL, "create", kind="instruction", name="long", content=body, applies_to=["**"])
    whole, offset = "", 0
    while offset is not None:
        piece = await agent(TOOL, "get", kind="instruction", name="long", offset=offset)
        assert piece["field"] == "content"
        whole, offset = whole + piece["text"], piece.get("next_offset")

    assert parsed(whole)[1] == body


async def test_markdown_alone_takes_the_rest_as_parameters(agent: Agent) -> None:
    facts = {"description": "Python style", "applies_to": ["**/*.py", "!**/vendor/**"]}
    await agent(TOOL, "create", kind="instruction", name="python-style", content="# Style\n\nShort.", **facts)
    found = await agent(TOOL, "get", kind="instruction", name="python-style")

    assert parsed(found["content"]) == (
        {"name": "python-style", "description": "Python style", "applyTo": "**/*.py,!**/vendor/**"},
        "# Style\n\nShort.",
    )
    assert found["applies_to"] == facts["applies_to"]


async def test_globs_that_other_programs_write_without_quotes_are_read(agent: Agent) -> None:
    content = "---\ndescription: x\nglobs: *.ts,src/**/*.{js,jsx}\nalwaysApply: false\n---\nBody"
    await agent(TOOL, "create", kind="instruction", name="web", content=content)

    assert (await agent(TOOL, "get", kind="instruction", name="web"))["applies_to"] == ["*.ts", "src/**/*.{js,jsx}"]


@pytest.mark.parametrize(
    ("kind", "name", "content", "told"),
    [
        ("skill", "Release It", "# R", ["lower-case", "description is missing"]),
        ("skill", "a--b", "---\ndescription: d\n---\n", ["single hyphens", "no text"]),
        ("agent", "../x", "Go", ["none of a file", "description is missing"]),
        ("agent", "x", "---\nname: y\ndescription: d\n---\nGo", ["front matter 'y'"]),
        ("agent", "x", "---\ndescription: [a\n---\nGo", ["no YAML", "line"]),
        ("agent", "x", "---\n- a\n---\nGo", ["no mapping"]),
        ("agent", "x", "---\na: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
            f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in ("ab", "bc", "cd", "de", "ef")
        ) + "---\nGo", ["more than 10000 values"]),
        ("instruction", "x", "---\napplyTo: '../**'\n---\nGo", ["leads out"]),
        ("instruction", "x", f"---\napplyTo: '{'*a' * 20}'\n---\nGo", ["too much"]),
        ("skill", "x", f"---\ndescription: {'d' * 1025}\ncompatibility: {'c' * 501}\n---\nGo", ["1025", "500"]),
    ],
)  # fmt: skip
async def test_all_that_its_format_does_not_allow_is_told_and_nothing_made(
    agent: Agent, kind: str, name: str, content: str, told: list[str]
) -> None:
    before = (await agent(TOOL, "list", kind=kind))["total"]
    error = await agent.fails(TOOL, "create", kind=kind, name=name, content=content)

    assert error["code"] == "invalid_arguments"
    assert [one for one in told if one not in error["message"]] == []
    assert (await agent(TOOL, "list", kind=kind))["total"] == before


async def test_a_parameter_of_another_kind_is_refused(agent: Agent) -> None:
    error = await agent.fails(
        TOOL, "create", kind="agent", name="x", content="Go", description="d", applies_to=["**"], tags=["a"]
    )

    assert "applies_to is nothing that an agent has" in error["message"]
    assert "tags is nothing" in error["message"]


async def test_keys_that_the_format_does_not_know_are_kept_with_a_warning(agent: Agent) -> None:
    content = "---\nname: x\ndescription: d\nmood: fine\n---\nGo"
    made = await agent(TOOL, "create", kind="skill", name="x", content=content)

    assert "mood" in made["warnings"][0]
    assert parsed((await agent(TOOL, "get", kind="skill", name="x"))["content"])[0]["mood"] == "fine"


async def test_a_name_is_given_once_whatever_its_case_or_its_file(agent: Agent) -> None:
    for name in ("executor", "EXECUTOR", "Skill-Writer", "skill writer"):
        error = await agent.fails(TOOL, "create", kind="agent", name=name, content="Go", description="d")
        assert error["code"] == "conflict", name
    assert (await agent(TOOL, "list", kind="agent"))["total"] == 16


async def test_making_one_again_with_the_same_request_makes_one(agent: Agent, workspace_id: str) -> None:
    for where in ({}, {"workspace_id": workspace_id}):
        name = f"n{len(where)}"
        call = {
            "kind": "skill",
            "name": name,
            "content": "Go",
            "description": "d",
            "agent": "Ada",
            "request_id": "r",
            **where,
        }
        first, again = [await agent(TOOL, "create", **call) for _ in range(2)]
        assert first == again
    error = await agent.fails(TOOL, "create", **{**call, "request_id": "r2"})
    assert (error["code"], "update" in error["message"]) == ("conflict", True)


async def test_one_of_a_workspace_is_there_for_no_other(agent: Agent, workspace_id: str, settings: Settings) -> None:
    other = settings.data_root.parent / "other"
    other.mkdir()
    elsewhere = (await agent("memory_workspace", "register", workspace_path=str(other)))["workspace_id"]
    made = await release(agent, scope="workspace", workspace_id=workspace_id)
    assert (made["source"], made["workspace_id"]) == ("workspace", workspace_id)

    here, there = [
        (await agent(TOOL, "list", kind="skill", tags=["release"], workspace_id=one))["total"]
        for one in (workspace_id, elsewhere)
    ]
    assert (here, there) == (1, 0)
    assert (await agent.fails(TOOL, "get", kind="skill", name="release", workspace_id=elsewhere))["code"] == "not_found"
    assert (await agent.fails(TOOL, "assign", kind="skill", name="release", workspace_id=elsewhere))[
        "code"
    ] == "not_found"
    error = await agent.fails(TOOL, "create", kind="skill", name="release", content=SKILL, workspace_id=elsewhere)
    assert (error["code"], "another workspace" in error["message"]) == ("conflict", True)
    for where, hits in ((workspace_id, ["release"]), (elsewhere, [])):
        found = await agent("memory_context", "search", query="tag it release", types=["skill"], workspace_id=where)
        assert [hit["skill_name"] for hit in found["hits"] if hit["skill_name"] == "release"] == hits


async def test_what_is_unknown_is_told_with_near_names(agent: Agent) -> None:
    error = await agent.fails(TOOL, "get", kind="agent", name="Execut")

    assert (error["code"], error["near"][0]["agent_name"]) == ("not_found", "Executor")


async def test_an_update_changes_only_what_is_given(agent: Agent) -> None:
    await release(agent)
    one = await agent(TOOL, "update", kind="skill", name="release", description="Better", expected_version=1)
    assert (one["version"], one["changed"]) == (2, ["description"])
    two = await agent(TOOL, "update", kind="skill", name="release", content="# Release\n\nAll at once.")
    assert (two["version"], two["changed"]) == (3, ["body"])
    same = await agent(TOOL, "update", kind="skill", name="release", description="Better")
    assert same["version"] == 3

    meta, body = parsed((await agent(TOOL, "get", kind="skill", name="release"))["content"])
    assert (meta, body) == ({**parsed(SKILL)[0], "description": "Better"}, "# Release\n\nAll at once.")
    stale = await agent.fails(TOOL, "update", kind="skill", name="release", description="x", expected_version=1)
    assert stale["code"] == "conflict"
    nothing = await agent.fails(TOOL, "update", kind="skill", name="release")
    assert nothing["code"] == "invalid_arguments"
    bad = await agent.fails(TOOL, "update", kind="skill", name="release", content="---\nname: release\n---\nGo")
    assert "description is missing" in bad["message"]


async def test_front_matter_in_an_update_takes_the_place_of_all_of_it(agent: Agent) -> None:
    await release(agent)
    await agent(TOOL, "update", kind="skill", name="release", content="---\ndescription: New\n---\nGo")

    found = await agent(TOOL, "get", kind="skill", name="release")
    assert parsed(found["content"]) == ({"name": "release", "description": "New"}, "Go")
    assert "tags" not in found


async def test_an_edited_one_that_ships_stays_at_an_upgrade_and_goes_back_when_asked(
    agent: Agent, db: Database
) -> None:
    edited = await agent(TOOL, "update", kind="agent", name="Worker", description="Ours")
    assert (edited["source"], edited.get("newer_shipped")) == ("user", None)
    assert (await agent(TOOL, "get", kind="agent", name="Worker"))["edited"] is True
    newer = AgentDefinition(name="Worker", description="Theirs", body="New", content_hash="other", metadata={})
    await seed.seed_content(db, [newer], [], [], "next")

    found = await agent(TOOL, "get", kind="agent", name="Worker")
    assert (found["description"], found["newer_shipped"]) == ("Ours", True)
    preview = await agent(TOOL, "reset", kind="agent", name="Worker")
    assert preview["preview"]["would_replace"]["description"] == "Ours"
    back = await agent(TOOL, "reset", kind="agent", name="Worker", confirm=True)
    assert back["source"] == "shipped"
    again = await agent(TOOL, "reset", kind="agent", name="Worker", confirm=True)
    assert (again["source"], again["version"], "trash_id" in again) == ("shipped", back["version"], False)

    await agent("memory_workspace", "restore", trash_id=back["trash_id"])
    found = await agent(TOOL, "get", kind="agent", name="Worker")
    assert (found["description"], found["source"]) == ("Ours", "user")


async def test_what_ships_is_not_deleted_and_what_was_made_comes_back(agent: Agent, workspace_id: str) -> None:
    error = await agent.fails(TOOL, "delete", kind="skill", name="ask-a-human", confirm=True)
    assert (error["code"], "ships" in error["message"]) == ("not_allowed", True)
    await agent(TOOL, "update", kind="skill", name="ask-a-human", description="Ours")
    assert "reset" in (await agent.fails(TOOL, "delete", kind="skill", name="ask-a-human"))["message"]

    await release(agent)
    await agent(TOOL, "assign", kind="skill", name="release", workspace_id=workspace_id)
    preview = await agent(TOOL, "delete", kind="skill", name="release")
    assert preview["preview"]["would_delete"]["name"] == "release"
    gone = await agent(TOOL, "delete", kind="skill", name="release", confirm=True)
    assert (await agent.fails(TOOL, "get", kind="skill", name="release"))["code"] == "not_found"
    assert (await agent.fails(TOOL, "delete", kind="skill", name="release", confirm=True))["code"] == "not_found"
    assert (await agent(TOOL, "list_assigned", workspace_id=workspace_id))["assigned"] == []
    await agent("memory_workspace", "restore", trash_id=gone["trash_id"])
    assert parsed((await agent(TOOL, "get", kind="skill", name="release"))["content"]) == parsed(SKILL)
    assert [row["name"] for row in (await agent(TOOL, "list_assigned", workspace_id=workspace_id))["assigned"]] == [
        "release"
    ]


async def test_reset_of_what_never_shipped_is_refused(agent: Agent) -> None:
    await release(agent)

    assert "delete" in (await agent.fails(TOOL, "reset", kind="skill", name="release"))["message"]


async def test_what_was_made_outlives_the_server(agent: Agent, settings: Settings) -> None:
    await release(agent)
    await agent(TOOL, "update", kind="agent", name="Worker", description="Ours")
    async with Client(build(settings), raise_exceptions=True) as client:
        later = Agent(client)
        assert (await later(TOOL, "get", kind="skill", name="release"))["source"] == "user"
        assert (await later(TOOL, "get", kind="agent", name="Worker"))["description"] == "Ours"


async def test_assigning_is_told_once_and_undone(agent: Agent, workspace_id: str) -> None:
    here = {"workspace_id": workspace_id}
    for kind, name in (("skill", "review-a-plan"), ("agent", "reviewer"), ("instruction", "plan-files")):
        first = await agent(TOOL, "assign", kind=kind, name=name, notes="each release", **here)
        again = await agent(TOOL, "assign", kind=kind, name=name, **here)
        assert (first["new"], again["new"]) == (True, False)
    used = (await agent(TOOL, "list_assigned", **here))["assigned"]
    assert [(row["kind"], row["name"], row["notes"]) for row in used] == [
        ("agent", "Reviewer", "each release"),
        ("instruction", "plan-files", "each release"),
        ("skill", "review-a-plan", "each release"),
    ]
    first = await agent(TOOL, "list_assigned", limit=2, **here)
    rest = await agent(TOOL, "list_assigned", limit=2, cursor=first["next_cursor"], **here)
    assert [row["kind"] for row in first["assigned"] + rest["assigned"]] == ["agent", "instruction", "skill"]
    assert (await agent(TOOL, "list_assigned", kind="agent", **here))["total"] == 1

    events = await agent("memory_workspace", "events", types=["definition"], **here)
    assert len(events["events"]) == 3
    gone = [(await agent(TOOL, "unassign", kind="agent", name="Reviewer", **here))["removed"] for _ in range(2)]
    assert gone == [True, False]
    assert (await agent(TOOL, "get", kind="skill", name="review-a-plan", **here))["assigned"] is True
    assert (await agent.fails(TOOL, "assign", kind="skill", name="nope", **here))["code"] == "not_found"


async def matches(agent: Agent, **wanted: object) -> dict[str, list[str]]:
    found = await agent(TOOL, "match", **wanted)
    return {row["name"]: row["why"] for row in found.get("matches", ())}


async def test_instructions_match_the_files_that_their_globs_cover(
    agent: Agent, workspace_id: str, settings: Settings
) -> None:
    globs = {"web": ["src/**/*.{ts,tsx}", "!**/*.test.ts"], "root": ["*.md"], "folder": ["docs/"], "all": ["**"]}
    for name, applies_to in globs.items():
        await agent(TOOL, "create", kind="instruction", name=name, content="Go", applies_to=applies_to)
    project = settings.data_root.parent / "project"

    async def covering(path: str) -> set[str]:
        found = await matches(agent, kind="instruction", path=path, workspace_id=workspace_id)
        return found.keys() & globs.keys()

    assert await covering("src/a/b.tsx") == {"web", "all"}
    assert await covering("src/b.test.ts") == {"all"}
    assert await covering(str(project / "README.md")) == {"root", "all"}
    assert await covering("docs/x/README.md") == {"folder", "all"}
    assert await covering("docs/[a]{b,c}*.md") == {"folder", "all"}
    assert await covering("SRC/a.ts") == {"all"}
    why = (await matches(agent, kind="instruction", path="src/a.ts", workspace_id=workspace_id))["web"]
    assert why == ["applies to src/a.ts (src/**/*.{ts,tsx})"]
    error = await agent.fails(TOOL, "match", path="/elsewhere/a.ts", workspace_id=workspace_id)
    assert error["code"] == "invalid_arguments"


async def test_skills_match_by_words_language_and_framework(agent: Agent) -> None:
    for name, languages in (("lint-python", ["python"]), ("lint-go", ["go"]), ("lint", [])):
        await agent(
            TOOL, "create", kind="skill", name=name, content="Go", description="Find style faults", languages=languages
        )

    assert (await matches(agent, kind="skill", query="lint", language="Python")).keys() == {"lint-python", "lint"}
    assert (await matches(agent, kind="skill", language="go"))["lint-go"] == ["language go"]
    assert "lint" not in await matches(agent, kind="skill", language="go")
    found = await matches(agent, kind="skill", task="The last session died, its context was compacted after a crash")
    assert next(iter(found)) == "resume-after-crash"
    assert "crash" in found["resume-after-crash"][0]
    assert await matches(agent, query="unicorns") == {}
    assert (await agent.fails(TOOL, "match"))["code"] == "invalid_arguments"


async def test_agents_match_by_their_role_and_the_assigned_come_first(agent: Agent, workspace_id: str) -> None:
    found = await matches(agent, kind="agent", task="review the finished work against its criteria")
    assert "Reviewer" in list(found)[:2]
    await agent(TOOL, "assign", kind="skill", name="ask-a-human", notes="house rule", workspace_id=workspace_id)
    found = await matches(agent, task="review the finished work", workspace_id=workspace_id)
    assert next(iter(found.items())) == ("ask-a-human", ["assigned to this workspace: house rule"])


async def test_matches_go_on_with_their_cursor(agent: Agent) -> None:
    whole = list(await matches(agent, task="plan steps review", limit=200))
    first = await agent(TOOL, "match", task="plan steps review", limit=2)
    rest = await agent(TOOL, "match", task="plan steps review", limit=200, cursor=first["next_cursor"])

    assert [row["name"] for row in first["matches"] + rest["matches"]] == whole


@pytest.mark.parametrize("path", ["../other/a.py", "src/../../a.py", "/etc/a.py"])
async def test_a_file_outside_of_the_workspace_fits_nothing(agent: Agent, workspace_id: str, path: str) -> None:
    refused = await agent.fails("memory_library", "match", workspace_id=workspace_id, path=path)
    assert (refused["code"], path in refused["message"]) == ("invalid_arguments", True)
