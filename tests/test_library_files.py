"""The Markdown and the templates that ship with the server, and how they are read."""

import json
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from server import library_files
from server.models.library import ContentFile
from server.text import front_matter
from server.tools import TOOLS as REGISTRY

PARAMETERS = {name for tool in REGISTRY.values() for action in tool.actions.values() for name in action.params}
ASSETS = Path(__file__).resolve().parent.parent
ROLES = {
    "Analyst",
    "Architect",
    "Archivist",
    "Brainstorm",
    "Cognition",
    "Coordinator",
    "Executor",
    "Migrator",
    "Researcher",
    "Reviewer",
    "Revisionist",
    "Runner",
    "SkillWriter",
    "TDDDriver",
    "Tester",
    "Worker",
}
STEP_COUNTS = {
    "analysis": 6,
    "bugfix": 6,
    "documentation": 5,
    "feature": 10,
    "investigation": 7,
    "investigation_workflow": 9,
    "refactor": 6,
}


def shipped() -> list[ContentFile]:
    return [
        *library_files.agents(ASSETS / "agents"),
        *library_files.instructions(ASSETS / "instructions"),
        *library_files.skills(ASSETS / "skills"),
    ]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")
    return path


def test_front_matter_holds_texts_lists_and_booleans() -> None:
    meta, body = front_matter.simple(
        "---\nname: a: b\nempty:\ntags: [x, 'y', \"z\"]\nnone: []\nyes: true\nno: false\n---\n\n# Title\n"
    )

    assert meta == {"name": "a: b", "empty": "", "tags": ["x", "y", "z"], "none": [], "yes": True, "no": False}
    assert body == "# Title"


def test_front_matter_passes_over_what_is_no_pair() -> None:
    meta, _ = front_matter.simple("---\n# remark: one\nname: a\nno pair\n  - item: x\n\n---\nbody")

    assert meta == {"name": "a"}


@pytest.mark.parametrize("text", ["", "# Title", "---\nname: a\n", "text\n---\nname: a\n---\n", "--- \n"])
def test_a_text_without_a_closed_front_matter_is_all_body(text: str) -> None:
    assert front_matter.simple(text) == ({}, text.strip())


def test_a_rule_in_the_body_stays_in_the_body() -> None:
    assert front_matter.simple("---\na: b\n---\none\n\n---\n\ntwo") == ({"a": "b"}, "one\n\n---\n\ntwo")


def test_line_endings_and_a_byte_order_mark_make_no_difference() -> None:
    text = "---\nname: a\n---\none\ntwo\n"

    assert front_matter.simple("\ufeff" + text.replace("\n", "\r\n")) == front_matter.simple(text)


def test_an_agent_keeps_everything_but_its_name_and_description_as_metadata(tmp_path: Path) -> None:
    write(
        tmp_path / "scout.agent.md",
        "---\nname: Scout\ndescription: Looks\ncan_implement: false\nhandoff_to: [A, B]\n---\nGo.",
    )

    [scout] = library_files.agents(tmp_path)

    assert (scout.name, scout.description, scout.body) == ("Scout", "Looks", "Go.")
    assert scout.metadata == {"can_implement": False, "handoff_to": ["A", "B"]}


def test_a_file_without_a_name_is_called_like_its_file_or_folder(tmp_path: Path) -> None:
    write(tmp_path / "scout.agent.md", "Go.")
    write(tmp_path / "climb" / "SKILL.md", "Up.")

    assert [agent.name for agent in library_files.agents(tmp_path)] == ["scout"]
    assert [skill.name for skill in library_files.skills(tmp_path)] == ["climb"]


def test_one_glob_may_stand_without_brackets(tmp_path: Path) -> None:
    write(tmp_path / "python.instructions.md", "---\napplyTo: **/*.py\n---\nBody")

    assert library_files.instructions(tmp_path)[0].applies_to == ["**/*.py"]


def test_a_missing_folder_holds_nothing(tmp_path: Path) -> None:
    assert library_files.agents(tmp_path / "none") == []
    assert library_files.skills(tmp_path / "none") == []


def test_content_cannot_be_changed_after_it_was_read() -> None:
    with pytest.raises(ValidationError):
        shipped()[0].name = "other"


def test_the_content_hash_follows_every_byte_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.instructions.md", "---\nname: a\n---\nBody")
    before = library_files.instructions(tmp_path)[0].content_hash
    write(path, "---\nname: a\n---\nBody\n")

    assert library_files.instructions(tmp_path)[0].content_hash != before


def test_the_digest_is_stable_until_a_file_is_changed_renamed_added_or_removed(tmp_path: Path) -> None:
    agent = write(tmp_path / "agents" / "a.agent.md", "A")
    seen = [library_files.digest(tmp_path), library_files.digest(tmp_path)]
    write(agent, "B")
    seen.append(library_files.digest(tmp_path))
    agent = agent.rename(tmp_path / "agents" / "b.agent.md")
    seen.append(library_files.digest(tmp_path))
    write(tmp_path / "skills" / "s" / "SKILL.md", "S")
    seen.append(library_files.digest(tmp_path))
    agent.unlink()
    seen.append(library_files.digest(tmp_path))

    assert seen[0] == seen[1]
    assert len(set(seen)) == 5


def test_the_digest_ignores_files_that_are_no_content(tmp_path: Path) -> None:
    write(tmp_path / "agents" / "a.agent.md", "A")
    before = library_files.digest(tmp_path)
    write(tmp_path / "agents" / "a.agent.md.bak", "B")
    write(tmp_path / "README.md", "C")

    assert library_files.digest(tmp_path) == before


@pytest.mark.parametrize("item", shipped(), ids=lambda item: item.name)
def test_every_shipped_file_says_what_it_is_for_and_has_a_body(item: ContentFile) -> None:
    assert item.description
    assert len(item.description) <= 200
    assert item.body.startswith("# ")
    assert "\n---\n" not in item.body


@pytest.mark.parametrize("item", shipped(), ids=lambda item: item.name)
def test_every_shipped_file_names_only_tools_that_exist(item: ContentFile) -> None:
    named = set(re.findall(r"\bmemory_[a-z_]+", item.body))

    assert named <= set(REGISTRY)


@pytest.mark.parametrize("item", shipped(), ids=lambda item: item.name)
def test_every_call_in_a_shipped_file_is_one_that_exists(item: ContentFile) -> None:
    """An action behind a tool's name, and parameters with a value, as they stand between backticks."""
    quoted = re.findall(r"`([^`\n]+)`", item.body)
    calls = [(match[1], match[2]) for text in quoted if (match := re.match(r"(memory_[a-z]+) ([a-z_]+)", text))]
    unknown = [
        call
        for call in calls
        if call[0] in REGISTRY and call[1] not in (REGISTRY[call[0]].actions | REGISTRY[call[0]].aliases)
    ]
    named = {name for text in quoted for name in re.findall(r"\b([a-z_]+)=", text)}

    assert not unknown
    assert named <= PARAMETERS | {"action"}


def test_every_shipped_file_is_called_like_what_it_holds() -> None:
    names = [item.name.lower() for item in shipped()]
    files = [*(ASSETS / "agents").glob("*.md"), *(ASSETS / "instructions").glob("*.md")]
    stems = [path.name.partition(".")[0].replace("-", "") for path in files]
    folders = [path.parent.name.replace("-", "") for path in (ASSETS / "skills").glob("*/SKILL.md")]

    assert sorted(name.replace("-", "") for name in names) == sorted(stems + folders)


def test_all_sixteen_roles_ship_with_their_boundaries() -> None:
    agents = library_files.agents(ASSETS / "agents")

    assert {agent.name for agent in agents} == ROLES
    for agent in agents:
        assert isinstance(agent.metadata["can_implement"], bool)
        assert isinstance(agent.metadata["forbidden"], list)
        assert set(agent.metadata["handoff_to"]) <= ROLES


def test_only_the_archivist_may_finalize() -> None:
    agents = library_files.agents(ASSETS / "agents")

    assert [agent.name for agent in agents if agent.metadata["can_finalize"]] == ["Archivist"]


def test_every_instruction_says_where_it_applies() -> None:
    assert all(item.applies_to for item in library_files.instructions(ASSETS / "instructions"))


@pytest.mark.parametrize("name", STEP_COUNTS)
def test_a_template_is_a_complete_plan(name: str) -> None:
    template = json.loads((ASSETS / "catalog" / "templates" / f"{name}.json").read_text(encoding="utf-8"))
    steps = [step for phase in template["phases"] for step in phase["steps"]]

    assert template.keys() == {"name", "title", "category", "description", "goals", "success_criteria", "phases"}
    assert template["name"] == name
    assert (len(template["goals"]), len(template["success_criteria"])) == (2, 3)
    assert len(steps) == STEP_COUNTS[name]
    assert all(step["task"] and step["type"] for step in steps)


def test_there_is_no_template_beside_the_seven() -> None:
    assert {path.stem for path in (ASSETS / "catalog" / "templates").iterdir()} == set(STEP_COUNTS)
