"""`setup --instructions`: a block of AGENTS.md between marks, and the library's agents and skills."""

import os
from pathlib import Path

import pytest

from tests.cli.test_setup import Person, everything, person

__all__ = ["person"]

WORDS = ("--scope", "project", "--instructions")
BEGIN = "<!-- project-memory setup sha256:"


def block(file: Path) -> str:
    text = file.read_text(encoding="utf-8")
    assert text.count(BEGIN) == 1
    return text[text.index(BEGIN) :]


def instructed(person: Person, *words: str) -> dict[str, str]:
    return {one["name"]: one["state"] for one in person.told(*words)["instructions"]}


@pytest.mark.parametrize("text", ["", "# Ours\n\nBe brief.\n", "# Ours\r\n\r\nBe brief.\r\n", "no line end"])
def test_a_block_goes_into_agents_md_once_and_out_again(person: Person, text: str) -> None:
    file = person.project / "AGENTS.md"
    file.write_bytes(text.encode()) if text else None

    assert instructed(person, "zed", *WORDS) == {"AGENTS.md": "added"}
    after = file.read_bytes()
    assert after.decode().startswith(text)
    assert "memory_steps next" in block(file)
    assert after.count(b"\r\n") in (0, after.count(b"\n"))
    assert instructed(person, "zed", *WORDS) == {"AGENTS.md": "up to date"}
    assert file.read_bytes() == after
    assert instructed(person, "zed", *WORDS, "--remove") == {"AGENTS.md": "removed"}
    assert (file.read_bytes() if file.exists() else b"").decode() in (text, f"{text}\n")


def test_a_block_that_a_person_edited_is_kept_and_told(person: Person) -> None:
    person.setup("zed", *WORDS)
    file = person.project / "AGENTS.md"
    file.write_text(file.read_text(encoding="utf-8").replace("memory_agent init", "my way"), encoding="utf-8")
    before = file.read_bytes()

    assert "AGENTS.md\tkept\tsomebody changed the block" in person.setup("zed", *WORDS)
    assert instructed(person, "zed", *WORDS, "--remove") == {"AGENTS.md": "kept"}
    assert file.read_bytes() == before


def test_a_block_of_an_older_version_is_renewed_in_its_place(person: Person) -> None:
    from server.tools.library import client_texts

    old = "The old text."
    mark = f"{BEGIN}{client_texts.hash_of(old)[:16]} -->\n{old}\n<!-- /project-memory setup -->\n"
    file = person.project / "AGENTS.md"
    file.write_text(f"# Above\n\n{mark}\n# Below\n", encoding="utf-8")

    assert instructed(person, "zed", *WORDS) == {"AGENTS.md": "updated"}
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# Above\n\n<!-- ")
    assert text.endswith(" setup -->\n\n# Below\n")
    assert old not in text


def test_marks_that_were_broken_are_left_alone(person: Person) -> None:
    file = person.project / "AGENTS.md"
    file.write_text(f"{BEGIN}0123456789abcdef -->\nno end\n", encoding="utf-8")

    assert instructed(person, "zed", *WORDS) == {"AGENTS.md": "kept"}


def test_a_file_that_is_the_same_or_leads_there_gets_one_block(person: Person) -> None:
    (person.project / "AGENTS.md").write_text("# Ours\n", encoding="utf-8")
    (person.project / "CLAUDE.md").symlink_to("AGENTS.md")
    (person.project / "GEMINI.md").write_text("@AGENTS.md\n", encoding="utf-8")

    told = instructed(person, "claude", "gemini", "zed", *WORDS)

    assert [name for name in told if name.endswith(".md")] == ["CLAUDE.md"]
    block(person.project / "AGENTS.md")
    assert (person.project / "CLAUDE.md").is_symlink()
    assert (person.project / "GEMINI.md").read_text(encoding="utf-8") == "@AGENTS.md\n"


def test_a_link_out_of_the_project_gets_no_block(person: Person) -> None:
    outside = person.home / "AGENTS.md"
    outside.write_text("# Mine\n", encoding="utf-8")
    (person.project / "AGENTS.md").symlink_to(outside)

    person.setup("zed", *WORDS, code=1)

    assert outside.read_text(encoding="utf-8") == "# Mine\n"


def test_agents_and_skills_are_deployed_by_the_library(person: Person) -> None:
    first = instructed(person, "claude", "codex", *WORDS)
    files = {os.path.relpath(path, person.project) for path in everything(person.project)}

    assert first["agents and skills for claude"] == first["agents and skills for codex"] == "written"
    assert {".claude/agents/executor.md", ".claude/skills/hand-off/SKILL.md", ".codex/agents/executor.toml"} <= files
    assert ".agents/skills/hand-off/SKILL.md" in files
    before = everything(person.project)
    assert set(instructed(person, "claude", "codex", *WORDS).values()) == {"up to date"}
    assert everything(person.project) == before
    person.setup("claude", "codex", *WORDS, "--remove")
    left = {os.path.relpath(path, person.project) for path in everything(person.project)}
    assert [name for name in left if "agents/" in name or "skills/" in name] == []


def test_a_definition_that_a_person_edited_is_kept_and_told(person: Person) -> None:
    person.setup("claude", *WORDS)
    file = person.project / ".claude" / "agents" / "executor.md"
    file.write_text("mine", encoding="utf-8")

    said = person.setup("claude", *WORDS)

    assert "kept .claude/agents/executor.md: somebody changed it" in said
    assert file.read_text(encoding="utf-8") == "mine"


def test_what_the_library_cannot_do_is_told_beside_what_was_done(person: Person) -> None:
    root = person.home / "data"
    root.mkdir()
    (root / "project-memory.db").write_text("no database", encoding="utf-8")

    told = person.told("claude", *WORDS, "--data-root", str(root), code=1)

    assert [one["state"] for one in told["clients"]] == ["added"]
    assert [one["state"] for one in told["instructions"]] == ["added", "failed"]


def test_a_dry_run_of_instructions_writes_nothing(person: Person) -> None:
    told = instructed(person, "claude", *WORDS, "--dry-run")

    assert told == {"CLAUDE.md": "would add", "agents and skills for claude": "would write"}
    assert everything(person.home) == {}
    person.setup("claude", *WORDS)
    before = everything(person.project)
    told = instructed(person, "claude", "cursor", *WORDS, "--dry-run")
    assert told["agents and skills for cursor"] == "would write"
    assert everything(person.project) == before
