"""memory_context: research files grow at the end, are condensed where they are read, and lose nothing."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from server.settings import Settings
from server.store import open_store
from server.tools.context.research_digest import condense, is_condensed
from tests.conftest import Agent

TOOL = "memory_context"
LIMIT = 50_000
BODY = "\n".join(f"line {n} of what was found" for n in range(400))


@pytest_asyncio.fixture
async def plan_id(agent: Agent, workspace_id: str) -> str:
    plan = await agent(
        "memory_plan",
        "create",
        workspace_id=workspace_id,
        title="Log in",
        category="quick_task",
        phases=[{"name": "Build", "steps": [{"task": "token"}, {"task": "cookie"}]}],
    )
    return plan["plan_id"]


async def whole(agent: Agent, **arguments: Any) -> str:
    """The full text of a file, read in pieces."""
    text, offset = "", 0
    while offset is not None:
        found = await agent(TOOL, "get_research", full=True, offset=offset, max_bytes=40_000, **arguments)
        if "text" not in found:
            return found["content"]
        text, offset = text + found["text"], found.get("next_offset")
    return text


async def shown(agent: Agent, **arguments: Any) -> str:
    """What reading a condensed file gives, in pieces too."""
    text, offset = "", 0
    while offset is not None:
        found = await agent(TOOL, "get_research", offset=offset, max_bytes=40_000, **arguments)
        if "text" not in found:
            return found["content"]
        text, offset = text + found["text"], found.get("next_offset")
    return text


async def test_a_file_grows_at_its_end(agent: Agent, plan_id: str, workspace_id: str) -> None:
    first = await agent(
        TOOL, "append_research", plan_id=plan_id, filename="auth.md", content="## Tokens\nold", agent="a"
    )
    second = await agent(
        TOOL, "append_research", plan_id=plan_id, filename="auth.md", content="## Cookies\n", agent="b"
    )
    found = await agent(TOOL, "get_research", plan_id=plan_id, filename="auth.md")

    assert first == {
        "filename": "auth.md",
        "document_id": found["document_id"],
        "workspace_id": workspace_id,
        "parent_type": "plan",
        "parent_id": plan_id,
        "version": 1,
        "created": True,
        "bytes": 13,
        "trimmed": False,
    }
    assert second["updated"] is True
    assert found["content"] == "## Tokens\nold\n## Cookies\n"
    assert (found["version"], found["bytes"], found["created_by"]) == (2, 25, "a")


async def test_the_list_tells_the_files_of_a_parent_or_of_the_workspace(
    agent: Agent, plan_id: str, workspace_id: str
) -> None:
    await agent(TOOL, "append_research", plan_id=plan_id, filename="b.md", content="b" * (LIMIT + 1))
    await agent(TOOL, "append_research", plan_id=plan_id, filename="a.md", content="ä")
    here = {"workspace_id": workspace_id, "parent_type": "workspace"}
    await agent(TOOL, "append_research", filename="c.md", content="c", **here)
    of_plan = await agent(TOOL, "list_research", plan_id=plan_id)
    page = await agent(TOOL, "list_research", workspace_id=workspace_id, limit=2)
    rest = await agent(TOOL, "list_research", workspace_id=workspace_id, limit=2, cursor=page["next_cursor"])

    assert [(row["filename"], row["bytes"], row.get("condensed")) for row in of_plan["research"]] == [
        ("a.md", 2, None),
        ("b.md", LIMIT + 1, True),
    ]
    assert page["total"] == 3
    assert [row["filename"] for row in (*page["research"], *rest["research"])] == ["a.md", "b.md", "c.md"]
    assert "content" not in page["research"][0]
    assert [row["filename"] for row in (await agent(TOOL, "list_research", **here))["research"]] == ["c.md"]


async def test_a_long_file_is_condensed_and_nothing_is_lost(agent: Agent, plan_id: str) -> None:
    parts = [f"## Finding {n}\n{BODY}\n### Detail {n}\nfine print" for n in range(8)]
    long = {"plan_id": plan_id, "filename": "long.md"}
    told = [await agent(TOOL, "append_research", content=part, **long) for part in parts][-1]
    text = await shown(agent, **long)

    assert told["trimmed"] is True
    assert len(text.encode()) <= LIMIT
    assert [line for line in text.split("\n") if line.startswith("#")] == [
        heading for n in range(8) for heading in (f"## Finding {n}", f"### Detail {n}")
    ]
    assert text.endswith(parts[-1])
    assert text.startswith("## Finding 0\n[Summarized] 401 lines condensed\n### Detail 0\n")
    assert await whole(agent, **long) == "\n".join(parts)


async def test_a_file_says_that_it_was_trimmed_only_if_it_was(agent: Agent, plan_id: str) -> None:
    told = await agent(TOOL, "append_research", plan_id=plan_id, filename="one.md", content="x" * (LIMIT + 10))
    found = await agent(TOOL, "get_research", plan_id=plan_id, filename="one.md")

    assert told["trimmed"] is False
    assert "trimmed" not in found
    assert found["length"] == LIMIT + 10


def test_only_as_many_sections_are_condensed_as_it_takes() -> None:
    sections = [f"## {n}\n" + "word " * 200 for n in range(6)]
    text = "# Title\nintroduction\n" + "\n".join(sections)
    shorter = condense(text, len(text) - 500)

    assert shorter == text.replace("word " * 200, "[Summarized] 1 line condensed\n", 1)


def test_what_was_condensed_once_is_left_alone() -> None:
    old = "## A\n[Summarized] 40 lines condensed\n### kept\n" + "remark " * 100
    text = f"{old}\n## B\n{'b ' * 500}\n## C\nnew"

    assert condense(text, 800) == f"{old}\n## B\n[Summarized] 1 line condensed\n\n## C\nnew"


def test_a_heading_in_a_code_fence_is_code() -> None:
    code = "```md\n## not a section\n```"
    text = f"## A\n{code}\n{'a ' * 500}\n## B\n{code}"

    assert condense(text, 300) == f"## A\n[Summarized] 4 lines condensed\n\n## B\n{code}"


@given(st.text(st.sampled_from("#`~ab\n ä"), max_size=300), st.integers(0, 200))
def test_condensing_keeps_the_headings_and_never_makes_a_text_longer(text: str, most: int) -> None:
    short = condense(text, most)

    assert len(short.encode()) <= len(text.encode())
    assert condense(text, len(text.encode())) == text
    assert condense(short, most) == short or len(condense(short, most)) <= len(short)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("a b/c.md", "a-b-c.md"),
        ("../../etc/passwd", "etc-passwd"),
        ("Überblick 設計.md", "Überblick-設計.md"),
        (r"C:\notes.md", "C-notes.md"),
        ("e\u0301tude.md", "étude.md"),
    ],
)
async def test_an_odd_file_name_is_cleaned_and_found_by_either_name(
    agent: Agent, plan_id: str, said: str, kept: str
) -> None:
    told = await agent(TOOL, "append_research", plan_id=plan_id, filename=said, content="one")
    await agent(TOOL, "append_research", plan_id=plan_id, filename=kept, content="two")

    assert told["filename"] == kept
    for name in (said, kept):
        assert (await agent(TOOL, "get_research", plan_id=plan_id, filename=name))["content"] == "one\ntwo"


@pytest.mark.parametrize("name", ["", "  ", "..", "///", "-", "n" * 201, "設" * 67, "a\nb"])
async def test_a_file_name_that_is_none_is_refused(agent: Agent, plan_id: str, name: str) -> None:
    error = await agent.fails(TOOL, "append_research", plan_id=plan_id, filename=name, content="x")

    assert error["code"] == "invalid_arguments"
    assert [problem["param"] for problem in error["invalid"]] == ["filename"]


async def test_an_unknown_file_is_answered_with_the_nearest(agent: Agent, plan_id: str, workspace_id: str) -> None:
    await agent(TOOL, "append_research", plan_id=plan_id, filename="auth-tokens.md", content="x")
    here = {"workspace_id": workspace_id, "parent_type": "workspace"}
    error = await agent.fails(TOOL, "get_research", plan_id=plan_id, filename="auth_token.md")
    elsewhere = await agent.fails(TOOL, "get_research", filename="auth-tokens.md", **here)

    assert error["code"] == "not_found"
    assert error["near"] == [{"filename": "auth-tokens.md", "parent_type": "plan", "parent_id": plan_id}]
    assert elsewhere["near"] == error["near"]


async def test_a_file_takes_a_mebibyte_and_no_more(agent: Agent, plan_id: str) -> None:
    half = "x" * (512 * 1024)
    await agent(TOOL, "append_research", plan_id=plan_id, filename="big.md", content=half)
    error = await agent.fails(TOOL, "append_research", plan_id=plan_id, filename="big.md", content=half)
    told = await agent(TOOL, "append_research", plan_id=plan_id, filename="big.md", content=half[1:])

    assert error["code"] == "too_large"
    assert (told["bytes"], told["version"]) == (1024 * 1024, 2)


async def test_two_agents_of_one_name_in_two_workspaces_keep_files_of_their_own(
    agent: Agent, workspace_id: str, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = (await agent("memory_workspace", "register", workspace_path=str(tmp_path / "other")))["workspace_id"]
    for home in (workspace_id, other):
        await agent(
            TOOL,
            "append_research",
            workspace_id=home,
            parent_type="agent",
            agent="coder",
            filename="m.md",
            content=home,
        )

    for home in (workspace_id, other):
        told = {"workspace_id": home, "parent_type": "agent", "parent_id": "coder", "filename": "m.md"}
        assert (await agent(TOOL, "get_research", **told))["content"] == home


async def test_research_goes_to_the_archive_and_comes_back(agent: Agent, plan_id: str, workspace_id: str) -> None:
    steps = (await agent("memory_steps", "list", plan_id=plan_id))["steps"]
    on_step = {"parent_type": "step", "parent_id": steps[0]["step_id"], "filename": "s.md"}
    await agent(TOOL, "append_research", content="of the step", **on_step)
    await agent("memory_plan", "archive", plan_id=plan_id)
    archived = await agent(TOOL, "get_research", **on_step)
    error = await agent.fails(TOOL, "append_research", content="more", **on_step)
    listed = await agent(TOOL, "list_research", workspace_id=workspace_id)
    await agent("memory_plan", "unarchive", plan_id=plan_id)
    await agent(TOOL, "append_research", content="more", **on_step)

    assert (archived["content"], archived["archived"]) == ("of the step", True)
    assert error["code"] == "conflict"
    assert "unarchive" in error["message"]
    assert listed["total"] == 0
    assert (await agent(TOOL, "get_research", **on_step))["content"] == "of the step\nmore"


async def test_research_goes_to_the_trash_with_its_plan_and_comes_back(agent: Agent, plan_id: str) -> None:
    await agent(TOOL, "append_research", plan_id=plan_id, filename="a.md", content="kept")
    preview = await agent("memory_plan", "delete", plan_id=plan_id)
    gone = await agent("memory_plan", "delete", plan_id=plan_id, confirm=True)
    await agent("memory_workspace", "restore", trash_id=gone["trash_id"])

    assert preview["preview"]["with_it"]["research_documents"] == 1
    assert (await agent(TOOL, "get_research", plan_id=plan_id, filename="a.md"))["content"] == "kept"


@pytest.mark.parametrize("archived", [False, True])
async def test_a_copy_of_a_plan_has_its_research(agent: Agent, plan_id: str, *, archived: bool) -> None:
    steps = (await agent("memory_steps", "list", plan_id=plan_id))["steps"]
    await agent(TOOL, "append_research", plan_id=plan_id, filename="a.md", content="plan", agent="first")
    await agent(
        TOOL, "append_research", parent_type="step", parent_id=steps[1]["step_id"], filename="a.md", content="s"
    )
    if archived:
        await agent("memory_plan", "archive", plan_id=plan_id)
    copy = (await agent("memory_plan", "clone_plan", plan_id=plan_id))["plan_id"]
    of_copy = (await agent("memory_steps", "list", plan_id=copy))["steps"]
    await agent(TOOL, "append_research", plan_id=copy, filename="a.md", content="more")

    found = await agent(TOOL, "get_research", plan_id=copy, filename="a.md")
    assert (found["content"], found["created_by"]) == ("plan\nmore", "first")
    on_step = {"parent_type": "step", "parent_id": of_copy[1]["step_id"]}
    assert (await agent(TOOL, "get_research", filename="a.md", **on_step))["content"] == "s"
    assert (await agent(TOOL, "get_research", plan_id=plan_id, filename="a.md"))["content"] == "plan"


async def test_appending_at_the_same_time_loses_nothing(agent: Agent, plan_id: str) -> None:
    added = [f"line {n}" for n in range(12)]
    await asyncio.gather(
        *(agent(TOOL, "append_research", plan_id=plan_id, filename="a.md", content=line) for line in added)
    )
    found = await agent(TOOL, "get_research", plan_id=plan_id, filename="a.md")

    assert sorted(found["content"].split("\n")) == sorted(added)
    assert found["version"] == 12


async def test_what_was_appended_is_there_when_the_store_is_opened_anew(
    agent: Agent, plan_id: str, settings: Settings
) -> None:
    text = 'quotes " \\ \u200b emoji \U0001f600 tab\tend'
    await agent(TOOL, "append_research", plan_id=plan_id, filename="a.md", content=text, agent="coder")
    db = await open_store(settings)
    kept = await db.value("SELECT content FROM research_documents WHERE parent_id = :id", {"id": plan_id})
    event = await db.one("SELECT agent, data FROM event_log WHERE type = 'research_appended'")
    await db.close()

    assert kept == text
    assert event is not None
    assert event["agent"] == "coder"
    assert json.loads(event["data"])["filename"] == "a.md"


async def test_the_plan_of_the_session_is_meant_unless_another_parent_is_named(agent: Agent, plan_id: str) -> None:
    session_id = (await agent("memory_agent", "init", agent="coder", plan_id=plan_id))["session_id"]
    told = await agent(TOOL, "append_research", session_id=session_id, filename="a.md", content="x")
    own = await agent(
        TOOL, "append_research", session_id=session_id, parent_type="session", filename="a.md", content="y"
    )

    assert told["parent_id"] == plan_id
    assert own["parent_id"] == session_id


async def test_a_plan_that_contradicts_the_workspace_is_refused(agent: Agent, plan_id: str, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = (await agent("memory_workspace", "register", workspace_path=str(tmp_path / "other")))["workspace_id"]
    asked = {"plan_id": plan_id, "filename": "a.md", "workspace_id": other}

    assert (await agent.fails(TOOL, "append_research", content="x", **asked))["code"] == "conflict"
    assert (await agent.fails(TOOL, "get_research", **asked))["code"] == "conflict"


@given(
    st.lists(
        st.sampled_from(
            ["# a", "## b", "## c", "words and more words of it", "```", "", "[Summarized] 1 line condensed"]
        )
    )
)
def test_whether_a_text_is_condensed_is_known_without_condensing_it(lines: list[str]) -> None:
    text = "\n".join(lines)
    for most in (0, 20, 100, 10_000):
        assert is_condensed(text, most) == (condense(text, most) != text)
