"""memory_library: definitions as files of a workspace, in the layout of each client."""

import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from server.text.front_matter import parsed
from tests.conftest import Agent

TOOL = "memory_library"
CLIENTS = ("github", "claude", "codex", "cursor", "gemini", "opencode")


@pytest_asyncio.fixture
async def here(agent: Agent, workspace_id: str) -> dict[str, str]:
    for kind, name, more in (
        ("skill", "release", {"description": "How to release", "tags": ["tags"]}),
        ("instruction", "style", {"description": "Style", "applies_to": ["**/*.{ts,tsx}"]}),
    ):
        await agent(TOOL, "create", kind=kind, name=name, content=f"# {name.title()}\n\nShort.", **more)
    return {"workspace_id": workspace_id}


def tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".projectmemory" not in path.parts
    }


async def deploy(agent: Agent, target: str, here: dict[str, str], **more: Any) -> dict[str, Any]:
    return await agent(TOOL, "deploy", target=target, **here, **more)


async def test_vs_code_reads_agents_instructions_and_skills(agent: Agent, here: dict[str, str], project: Path) -> None:
    await deploy(agent, "github", here)
    files = tree(project)

    meta, body = parsed(files[".github/agents/tdd-driver.agent.md"])
    assert (meta.keys(), meta["name"]) == ({"name", "description"}, "TDDDriver")
    assert "## Boundaries\n- Not yours: create files, edit code, implement features.\n- Hand over to: " in body
    meta, body = parsed(files[".github/instructions/style.instructions.md"])
    assert (meta["applyTo"], body) == ("**/*.{ts,tsx}", "# Style\n\nShort.")
    meta, body = parsed(files[".agents/skills/release/SKILL.md"])
    assert (meta["name"], meta["metadata"], body) == ("release", {"tags": "tags"}, "# Release\n\nShort.")
    assert len([path for path in files if path.startswith(".github/agents/")]) == 16


async def test_claude_code_reads_agents_skills_and_blocks(agent: Agent, here: dict[str, str], project: Path) -> None:
    (project / "CLAUDE.md").write_text("# Mine\n\nKeep this.", encoding="utf-8")
    await deploy(agent, "claude", here)
    files = tree(project)

    meta, _ = parsed(files[".claude/agents/reviewer.md"])
    assert (meta["name"], meta["disallowedTools"]) == ("reviewer", "Edit, Write, NotebookEdit")
    assert "disallowedTools" not in parsed(files[".claude/agents/executor.md"])[0]
    assert ".claude/skills/release/SKILL.md" in files
    assert files["CLAUDE.md"].startswith("# Mine\n\nKeep this.\n\n<!-- project-memory: ")
    block = (
        "<!-- project-memory: style -->\nFor `**/*.{ts,tsx}`:\n\n## Style\n\nShort.\n<!-- /project-memory: style -->\n"
    )
    assert block in files["CLAUDE.md"]


async def test_codex_reads_agents_in_toml(agent: Agent, here: dict[str, str], project: Path) -> None:
    odd = 'Say """so"""\\n, \x7f "quoted" \\ and\n\ttabs: Größe 📏\n'
    facts = {"description": 'A "quoted" \\ role', "content": odd}
    await agent(TOOL, "create", kind="agent", name="Odd One", **facts)
    await deploy(agent, "codex", here)
    files = tree(project)

    found = tomllib.loads(files[".codex/agents/odd-one.toml"])
    assert (found["name"], found["description"]) == ("odd-one", facts["description"])
    assert found["developer_instructions"].strip() == odd.strip()
    for path, text in files.items():
        if path.startswith(".codex/agents/"):
            assert tomllib.loads(text).keys() == {"name", "description", "developer_instructions"}
    assert {".agents/skills/release/SKILL.md", "AGENTS.md"} <= files.keys()


async def test_cursor_reads_rules_and_opencode_agents(agent: Agent, here: dict[str, str], project: Path) -> None:
    await deploy(agent, "cursor", here)
    await deploy(agent, "opencode", here, kinds=["agent"])
    files = tree(project)

    meta, _ = parsed(files[".cursor/rules/style.mdc"])
    assert meta == {"description": "Style", "globs": "**/*.{ts,tsx}", "alwaysApply": False}
    assert parsed(files[".cursor/rules/working-a-plan.mdc"])[0]["alwaysApply"] is True
    assert {".cursor/agents/worker.md", ".cursor/skills/release/SKILL.md"} <= files.keys()
    meta, _ = parsed(files[".opencode/agent/reviewer.md"])
    assert (meta["mode"], meta["permission"]) == ("all", {"edit": "deny"})


async def test_gemini_reads_no_agents_and_is_told_so(agent: Agent, here: dict[str, str], project: Path) -> None:
    told = await deploy(agent, "gemini", here)

    assert "no agents" in told["warnings"][0]
    assert {path.split("/")[0] for path in tree(project)} == {"GEMINI.md", ".agents"}


@pytest.mark.parametrize("target", CLIENTS)
async def test_deploying_twice_writes_once_and_check_agrees(
    agent: Agent, here: dict[str, str], project: Path, target: str
) -> None:
    first = await deploy(agent, target, here)
    before = {path: (project / path).stat().st_mtime_ns for path in tree(project)}
    again = await deploy(agent, target, here)

    assert first["written"]
    assert "kept" not in first
    assert (again.get("written"), sorted(again["unchanged"])) == (None, sorted(first["written"]))
    assert {path: (project / path).stat().st_mtime_ns for path in tree(project)} == before
    checked = await agent(TOOL, "check", limit=200, **here)
    assert {row["status"] for row in checked["files"]} == {"same"}
    assert len(checked["files"]) == len(first["written"])


async def test_a_dry_run_writes_nothing(agent: Agent, here: dict[str, str], project: Path) -> None:
    told = await deploy(agent, "claude", here, dry_run=True)

    assert (len(told["would_write"]) > 20, tree(project)) == (True, {})
    assert (await agent(TOOL, "check", **here))["total"] == 0


async def test_what_a_person_changed_or_wrote_is_kept_until_it_is_forced(
    agent: Agent, here: dict[str, str], project: Path
) -> None:
    foreign = project / ".claude/agents/worker.md"
    foreign.parent.mkdir(parents=True)
    foreign.write_text("mine", encoding="utf-8")
    await deploy(agent, "claude", here)
    assert foreign.read_text(encoding="utf-8") == "mine"
    changed = project / ".claude/skills/release/SKILL.md"
    changed.write_text(changed.read_text(encoding="utf-8") + "\nMine.", encoding="utf-8")
    block = (project / "CLAUDE.md").read_text(encoding="utf-8").replace("## Style\n\nShort.", "## Style\n\nOurs.")
    (project / "CLAUDE.md").write_text(block, encoding="utf-8")
    for kind, name in (("skill", "release"), ("instruction", "style"), ("agent", "Executor")):
        await agent(TOOL, "update", kind=kind, name=name, description="Better", content="# New\n\nText.")

    told = await deploy(agent, "claude", here)
    assert {one["path"]: one["why"].split()[0] for one in told["kept"]} == {
        ".claude/agents/worker.md": "somebody",
        ".claude/skills/release/SKILL.md": "somebody",
        "CLAUDE.md#style": "somebody",
    }
    assert told["written"] == [".claude/agents/executor.md"]
    assert (changed.read_text(encoding="utf-8")[-5:], "Ours." in (project / "CLAUDE.md").read_text()) == ("Mine.", True)

    forced = await deploy(agent, "claude", here, force=True)
    assert sorted(forced["written"]) == sorted(one["path"] for one in told["kept"])
    assert "Text." in foreign.parent.joinpath("executor.md").read_text(encoding="utf-8")
    assert "## New\n\nText." in (project / "CLAUDE.md").read_text(encoding="utf-8")


async def test_what_goes_from_the_library_goes_from_the_folder(
    agent: Agent, here: dict[str, str], project: Path
) -> None:
    (project / "AGENTS.md").write_text("# Mine\n", encoding="utf-8")
    await deploy(agent, "codex", here, names=["release", "style"])
    assert tree(project).keys() == {"AGENTS.md", ".agents/skills/release/SKILL.md"}
    told = await agent(TOOL, "delete", kind="skill", name="release", confirm=True)
    assert [one["path"] for one in told["deployed"]] == [".agents/skills/release/SKILL.md"]
    await agent(TOOL, "delete", kind="instruction", name="style", confirm=True)

    gone = await deploy(agent, "codex", here, kinds=["agent"], names=["Worker"])
    assert sorted(gone["removed"]) == [".agents/skills/release/SKILL.md", "AGENTS.md#style"]
    assert tree(project) == {
        "AGENTS.md": "# Mine\n\n",
        ".codex/agents/worker.toml": tree(project)[".codex/agents/worker.toml"],
    }
    assert not (project / ".agents/skills/release").exists()
    again = await deploy(agent, "codex", here, names=["Worker"])
    assert again.keys() & {"removed", "kept", "written"} == set()


async def test_removing_takes_what_was_written_and_no_more(agent: Agent, here: dict[str, str], project: Path) -> None:
    await deploy(agent, "codex", here)
    await deploy(agent, "opencode", here)
    mine = project / ".codex/agents/worker.toml"
    mine.write_text("mine", encoding="utf-8")
    some = await deploy(agent, "codex", here, remove=True, names=["Executor"])
    assert some["removed"] == [".codex/agents/executor.toml"]

    told = await deploy(agent, "codex", here, remove=True)
    assert [one["path"] for one in told["kept"]] == [".codex/agents/worker.toml"]
    assert [path for path in tree(project) if path.startswith(".codex")] == [".codex/agents/worker.toml"]
    assert "style" in (project / "AGENTS.md").read_text(encoding="utf-8")  # the other client reads it
    await deploy(agent, "opencode", here, remove=True)
    assert tree(project) == {".codex/agents/worker.toml": "mine"}


async def test_a_plan_chooses_what_fits_it(agent: Agent, here: dict[str, str], project: Path) -> None:
    plan = await agent(
        "memory_plan",
        "create",
        title="Release 2.0",
        category="quick_task",
        phases=[{"name": "Release", "steps": [{"task": "Tag the release", "assignee": "tester"}]}],
        **here,
    )
    told = await deploy(agent, "claude", here, plan_id=plan["plan_id"])

    assert {".claude/skills/release/SKILL.md", ".claude/agents/tester.md"} <= set(told["written"])
    assert ".claude/agents/migrator.md" not in told["written"]


async def test_no_link_leads_out(agent: Agent, here: dict[str, str], project: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "AGENTS.md").write_text("theirs", encoding="utf-8")
    (project / ".claude").symlink_to(outside, target_is_directory=True)
    (project / "CLAUDE.md").symlink_to(outside / "AGENTS.md")
    told = await deploy(agent, "claude", here)

    assert "written" not in told
    assert all("link" in one["why"] for one in told["kept"])
    assert sorted(path.name for path in outside.iterdir()) == ["AGENTS.md"]
    assert (outside / "AGENTS.md").read_text(encoding="utf-8") == "theirs"


async def test_a_link_inside_the_folder_is_followed_and_stays(
    agent: Agent, here: dict[str, str], project: Path
) -> None:
    (project / "AGENTS.md").write_text("# Both\n", encoding="utf-8")
    (project / "CLAUDE.md").symlink_to("AGENTS.md")
    await deploy(agent, "claude", here, names=["style"])

    assert (project / "CLAUDE.md").is_symlink()
    assert "## Style" in (project / "AGENTS.md").read_text(encoding="utf-8")


async def test_a_link_to_what_is_guarded_is_neither_shown_nor_taken_into_the_library(
    agent: Agent, here: dict[str, str], project: Path
) -> None:
    (project / ".env").write_text("TOKEN=hush\n", encoding="utf-8")
    for path in (".github/instructions/a.instructions.md", ".claude/agents/worker.md", "AGENTS.md"):
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).symlink_to(project / ".env")

    checked = await agent(TOOL, "check", **here, limit=200)
    taken = await agent(TOOL, "import", **here)
    told = await deploy(agent, "codex", here, force=True)

    assert {one["status"] for one in checked["files"]} == {"unreadable"}
    assert "imported" not in taken
    assert "AGENTS.md#style" in {one["path"] for one in told["kept"]}
    assert "hush" not in f"{checked}{taken}{told}"
    assert (project / ".env").read_text(encoding="utf-8") == "TOKEN=hush\n"


async def test_odd_files_in_the_way_are_left_alone(agent: Agent, here: dict[str, str], project: Path) -> None:
    (project / ".claude/agents/worker.md").mkdir(parents=True)
    (project / "CLAUDE.md").write_bytes(b"\xff\xfe\x00")
    told = await deploy(agent, "claude", here)

    kept = {one["path"] for one in told["kept"]}
    assert {".claude/agents/worker.md", "CLAUDE.md#style"} <= kept
    assert (project / "CLAUDE.md").read_bytes() == b"\xff\xfe\x00"
    assert len(told["written"]) > 15


async def test_a_file_keeps_its_mode_and_new_ones_are_no_secret(
    agent: Agent, here: dict[str, str], project: Path
) -> None:
    (project / "CLAUDE.md").write_text("x", encoding="utf-8")
    (project / "CLAUDE.md").chmod(0o640)
    await deploy(agent, "claude", here)

    umask = os.umask(0)
    os.umask(umask)
    assert (project / "CLAUDE.md").stat().st_mode & 0o777 == 0o640
    assert (project / ".claude/agents/worker.md").stat().st_mode & 0o777 == 0o666 & ~umask
    assert (project / ".claude").stat().st_mode & 0o777 == 0o777 & ~umask


async def test_an_unknown_name_or_target_is_refused(agent: Agent, here: dict[str, str]) -> None:
    assert (await agent.fails(TOOL, "deploy", target="claude", names=["nope"], **here))["code"] == "not_found"
    error = await agent.fails(TOOL, "deploy", target="emacs", **here)
    assert (error["code"], "opencode" in error["message"]) == ("invalid_arguments", True)


def put(project: Path, path: str, text: str) -> Path:
    file = project / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


async def statuses(agent: Agent, here: dict[str, str]) -> dict[str, str]:
    return {row["path"]: row["status"] for row in (await agent(TOOL, "check", limit=200, **here))["files"]}


async def test_check_tells_how_files_and_library_stand(agent: Agent, here: dict[str, str], project: Path) -> None:
    await deploy(agent, "claude", here, names=["release", "style", "Worker", "Executor", "Tester"])
    home = ".claude/agents"
    worker = project / home / "worker.md"
    worker.write_text(worker.read_text(encoding="utf-8") + "\nMore.", encoding="utf-8")
    await agent(TOOL, "update", kind="skill", name="release", description="Newer")
    tester = project / home / "tester.md"
    tester.write_text(tester.read_text(encoding="utf-8") + "\nMore.", encoding="utf-8")
    await agent(TOOL, "update", kind="agent", name="Tester", description="Newer")
    (project / home / "executor.md").unlink()
    put(project, f"{home}/mine.md", "---\nname: mine\ndescription: d\n---\nGo")
    put(project, f"{home}/bad.md", "---\nname: [x\n---\nGo")

    assert await statuses(agent, here) == {
        f"{home}/worker.md": "newer_here",
        f"{home}/tester.md": "changed_in_both",
        f"{home}/executor.md": "missing",
        f"{home}/mine.md": "unknown",
        f"{home}/bad.md": "unreadable",
        ".claude/skills/release/SKILL.md": "newer_there",
        "CLAUDE.md#style": "same",
    }
    first = await agent(TOOL, "check", limit=3, **here)
    rest = await agent(TOOL, "check", limit=200, cursor=first["next_cursor"], **here)
    assert [row["path"] for row in first["files"] + rest["files"]] == sorted(await statuses(agent, here))
    one = await agent(TOOL, "check", path=f"{home}/mine.md", **here)
    assert [row["name"] for row in one["files"]] == ["mine"]
    assert (await agent.fails(TOOL, "check", path="nope.md", **here))["code"] == "not_found"


async def test_import_takes_files_of_every_client_in(agent: Agent, here: dict[str, str], project: Path) -> None:
    put(project, ".github/agents/scout.agent.md", "---\ndescription: Scouts\ntools: ['search']\nmodel: X\n---\n# Scout")
    put(project, ".claude/agents/critic.md", "---\nname: critic\ndescription: Judges\ntools: Read\n---\n# Critic")
    put(
        project, ".codex/agents/fixer.toml", 'name = "fixer"\ndescription = "Fixes"\ndeveloper_instructions = "# Fix"\n'
    )
    put(project, ".cursor/rules/web.mdc", "---\ndescription: Web\nglobs: *.ts,*.tsx\nalwaysApply: false\n---\n# Web")
    put(project, ".claude/skills/audit/SKILL.md", "---\nname: audit\ndescription: Audits\n---\n# Audit")
    before = tree(project)
    dry = await agent(TOOL, "import", dry_run=True, **here)
    assert len(dry["would_import"]) == 5
    done = await agent(TOOL, "import", **here)
    assert {one["name"]: one["source"] for one in done["imported"]} == dict.fromkeys(
        ("scout", "critic", "fixer", "web", "audit"), "imported"
    )
    again = await agent(TOOL, "import", **here)
    assert again.keys() & {"imported", "left"} == set()
    assert tree(project) == before
    assert set((await statuses(agent, here)).values()) == {"same"}

    web = await agent(TOOL, "get", kind="instruction", name="web", **here)
    assert (web["applies_to"], web["imported_from"]) == (["*.ts", "*.tsx"], ".cursor/rules/web.mdc")
    await deploy(agent, "claude", here, names=["scout", "critic", "fixer"])
    files = tree(project)
    assert parsed(files[".claude/agents/critic.md"])[0]["tools"] == "Read"
    assert parsed(files[".claude/agents/scout.md"])[0].keys() == {"name", "description"}
    await deploy(agent, "github", here, names=["scout"])
    assert parsed(tree(project)[".github/agents/scout.agent.md"]) == parsed(before[".github/agents/scout.agent.md"])


async def test_import_takes_a_persons_change_back_and_leaves_what_changed_in_both(
    agent: Agent, here: dict[str, str], project: Path
) -> None:
    await deploy(agent, "claude", here, names=["release", "Worker"])
    worker, release = project / ".claude/agents/worker.md", project / ".claude/skills/release/SKILL.md"
    worker.write_text(worker.read_text(encoding="utf-8").replace("# Worker", "# Our worker"), encoding="utf-8")
    release.write_text(release.read_text(encoding="utf-8") + "\nMine.", encoding="utf-8")
    await agent(TOOL, "update", kind="skill", name="release", description="Newer")

    done = await agent(TOOL, "import", **here)
    assert [one["name"] for one in done["imported"]] == ["Worker"]
    assert [one["status"] for one in done["left"]] == ["changed_in_both"]
    found = await agent(TOOL, "get", kind="agent", name="Worker", **here)
    assert (found["edited"], "# Our worker" in found["content"], "Boundaries" in found["content"]) == (
        True,
        True,
        False,
    )
    assert "forbidden: [" in found["content"]
    assert (await statuses(agent, here))[".claude/agents/worker.md"] == "same"
    assert "written" not in await deploy(agent, "claude", here, names=["Worker"])

    await agent(TOOL, "import", path=".claude/skills/release/SKILL.md", force=True, **here)
    assert "Mine." in (await agent(TOOL, "get", kind="skill", name="release", **here))["content"]


async def test_a_name_of_another_workspace_is_not_taken_over(
    agent: Agent, here: dict[str, str], project: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    text = "---\ndescription: d\n---\n# {}"
    for folder, body in ((project, "Here"), (other, "There")):
        put(folder, ".github/agents/scout.agent.md", text.format(body))
    elsewhere = (await agent("memory_workspace", "register", workspace_path=str(other)))["workspace_id"]
    await agent(TOOL, "import", **here)
    told = await agent(TOOL, "import", workspace_id=elsewhere)

    assert "already" in told["left"][0]["problem"]
    assert "# Here" in (await agent(TOOL, "get", kind="agent", name="scout", **here))["content"]


async def test_what_a_server_that_died_left_undone_is_done_by_the_next_call(
    agent: Agent, here: dict[str, str], project: Path
) -> None:
    await deploy(agent, "claude", here, names=["release", "style"])
    before = tree(project)
    for kind, name in (("skill", "release"), ("instruction", "style")):
        await agent(TOOL, "update", kind=kind, name=name, content="# New\n\nText.")
    await deploy(agent, "claude", here, names=["release", "style"])
    for path, text in before.items():  # what is stored says that it was written, and the files are as they were
        put(project, path, text)

    told = await deploy(agent, "claude", here, names=["release", "style"])
    assert ("kept" in told, sorted(told["written"])) == (False, [".claude/skills/release/SKILL.md", "CLAUDE.md#style"])


async def test_line_ends_that_git_changed_are_no_change_of_a_person(
    agent: Agent, here: dict[str, str], project: Path
) -> None:
    await deploy(agent, "claude", here, names=["release", "style"])
    for path, text in tree(project).items():
        (project / path).write_bytes(text.replace("\n", "\r\n").encode())

    assert set((await statuses(agent, here)).values()) == {"same"}
    assert "kept" not in await deploy(agent, "claude", here, names=["release", "style"])
    await agent(TOOL, "update", kind="instruction", name="style", content="# New\n\nText.")
    assert (await deploy(agent, "claude", here, names=["style"]))["written"] == ["CLAUDE.md#style"]
    text = (project / "CLAUDE.md").read_bytes().decode()
    assert (text.count("project-memory: style"), text.count("\n")) == (2, text.count("\r\n"))


async def test_names_that_nothing_has_are_told_all_at_once_with_what_is_near_of_every_kind(
    agent: Agent, here: dict[str, str]
) -> None:
    refused = await agent.fails(TOOL, "deploy", target="claude", names=["Revewer", "nonsense", "style"], **here)

    assert "no agent or instruction or skill 'Revewer', 'nonsense'" in refused["message"]
    assert {"kind": "agent", "agent_name": "Reviewer"}.items() <= refused["near"][0].items()
    assert "style" not in refused["message"]
    one = await agent.fails(TOOL, "deploy", target="claude", kinds=["skill"], names=["Reviewer"], **here)
    assert "no skill 'Reviewer'" in one["message"]


async def test_headings_in_a_block_go_down_and_code_stays(agent: Agent, here: dict[str, str], project: Path) -> None:
    content = "# Top\n\n~~~sh\n# code\n~~~\n\n````md\n```\n# code\n```\n````\n\n#tag\n  ## Sub\n###### Six"
    await agent(TOOL, "update", kind="instruction", name="style", content=content, **here)
    await deploy(agent, "gemini", here, names="style")

    text = (project / "GEMINI.md").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if "#" in line] == [
        "## Top", "# code", "# code", "#tag", "  ### Sub", "###### Six",
    ]  # fmt: skip
