"""Every action, setting and command is documented, and no document speaks of what does not exist."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from server import catalog, catalog_pages
from server.aliases import ELSEWHERE, GONE
from server.cli import app
from server.protocol.app import INSTRUCTIONS
from server.protocol.prompts import PROMPTS
from server.protocol.resources import TEMPLATES
from server.registry import Action, Tool
from server.settings import ASSETS, SETTINGS, Setting
from server.tools import TOOLS

README = (ASSETS / "README.md").read_text(encoding="utf-8")
SETTINGS_PAGE = (ASSETS / "docs" / "settings.md").read_text(encoding="utf-8")
AGENTS_PAGE = (ASSETS / "docs" / "for-agents.md").read_text(encoding="utf-8")
CHANGELOG = (ASSETS / "CHANGELOG.md").read_text(encoding="utf-8")
CONTENT = sorted(path for folder in ("agents", "instructions", "skills") for path in (ASSETS / folder).rglob("*.md"))
CODE = sorted((ASSETS / "server").rglob("*.py"))
DOCUMENTS = [
    *(ASSETS / name for name in ("README.md", "AGENTS.md", "CHANGELOG.md")),
    *sorted((ASSETS / "docs").glob("*.md")),
]
PAGE = ASSETS / "docs" / "tools.md"
PARAMS = [param for tool in TOOLS.values() for action in tool.actions.values() for param in action.params.values()]


def named(path: Path) -> str:
    return path.relative_to(ASSETS).as_posix()


def exists(tool: str, action: str) -> bool:
    return tool in TOOLS and action in TOOLS[tool].actions.keys() | TOOLS[tool].aliases.keys()


def mentions(text: str) -> Iterator[tuple[str, str]]:
    """What a text calls: `memory_plan create`, `memory_plan action='create'`, `memory_plan {"action": "create"`."""
    unbroken = re.sub(r'"\s*\n\s*f?"', "", text)  # a string that goes on in the next line
    pattern = r"\b(memory_[a-z]+)\s+(?:action=['\"]|\{\"action\": ?\")?([a-z]+(?:_[a-z]+)*)\b"
    yield from ((found[1], found[2]) for found in re.finditer(pattern, unbroken))


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_has_its_line_in_the_page_of_settings(setting: Setting) -> None:
    [line] = [line for line in SETTINGS_PAGE.splitlines() if line.startswith(f"| `{setting.flag}` |")]

    assert f"`{setting.env}`" in line
    assert not setting.default or f"`{setting.default}`" in line
    assert all(f"`{choice}`" in line for choice in setting.choices)


def test_the_page_of_settings_lists_none_that_does_not_exist() -> None:
    assert set(re.findall(r"\bPM_[A-Z_]+", SETTINGS_PAGE)) == {setting.env for setting in SETTINGS}


def test_every_command_is_in_the_readme() -> None:
    commands = typer.main.get_command(app).commands  # pyright: ignore[reportAttributeAccessIssue]

    assert commands
    for name in commands:
        assert re.search(rf"^\|.*`(project-memory )?{name}`.*\|$", README, re.MULTILINE), name


@pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: tool.name)
def test_every_tool_has_its_line_in_the_page_about_what_agents_get(tool: Tool) -> None:
    assert f"| `{tool.name}` |" in AGENTS_PAGE


def test_no_document_names_a_tool_that_does_not_exist() -> None:
    for path in (*DOCUMENTS, *CONTENT):
        tools = set(re.findall(r"\bmemory_(?!<)[a-z]+\b", path.read_text(encoding="utf-8")))
        gone = GONE.keys() if path.name == "tools.md" else set[str]()
        assert tools <= TOOLS.keys() | gone, named(path)


@pytest.mark.parametrize("action", [a for t in TOOLS.values() for a in t.actions.values()], ids=lambda a: a.name)
def test_every_action_is_in_the_catalog_with_its_help_and_an_example(action: Action) -> None:
    [entry] = [e for e in catalog.load(ASSETS / "catalog") if e["name"] == action.tool]
    [found] = [a for a in entry["actions"] if a["name"] == action.name]

    assert found["help"]
    assert found["summary"] in found["help"]
    assert found["example"]["action"] == action.name
    assert found["params"] == [param.describe() for param in action.params.values()]


@pytest.mark.parametrize("path", [*CONTENT, *DOCUMENTS], ids=named)
def test_a_document_names_only_actions_that_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    calls = [call for code in re.findall(r"`{3}.*?`{3}|`[^`]+`", text, re.DOTALL) for call in mentions(code)]

    assert [call for call in calls if not exists(*call)] == []


@pytest.mark.parametrize("path", CONTENT, ids=named)
def test_content_passes_only_parameters_that_exist_with_values_they_take(path: Path) -> None:
    for name, value in re.findall(r"`(\w+)=([^`]+)`", path.read_text(encoding="utf-8")):
        takers = [param for param in PARAMS if param.name == name]
        taken = [param for param in takers if not param.validate(json.loads(value))[1]]
        assert name == "action" or taken, f"{name}={value}"


@pytest.mark.parametrize("path", CODE, ids=named)
def test_a_message_or_a_help_text_names_only_actions_that_exist(path: Path) -> None:
    assert [call for call in mentions(path.read_text(encoding="utf-8")) if not exists(*call)] == []


def test_the_instructions_name_only_tools_and_actions_that_exist() -> None:
    assert {tool for tool, _ in mentions(INSTRUCTIONS)} <= TOOLS.keys()
    assert [call for call in mentions(INSTRUCTIONS) if not exists(*call)] == []
    assert set(re.findall(r"\bmemory_[a-z]+\b", INSTRUCTIONS)) <= TOOLS.keys()


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_the_calls_that_a_document_shows_are_valid(path: Path) -> None:
    decoder, text = json.JSONDecoder(), path.read_text(encoding="utf-8")
    for found in re.finditer(r"(memory_[a-z]+) (?=\{)", text):
        arguments, _ = decoder.raw_decode(text, found.end())
        TOOLS[found[1]].bind(arguments)


def test_the_page_of_the_tools_says_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == catalog_pages.page(TOOLS.values())


@pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: tool.name)
def test_the_page_of_the_tools_has_every_action_with_all_it_takes(tool: Tool) -> None:
    text = PAGE.read_text(encoding="utf-8")
    common = re.split(r"^#{2,3} ", text.partition(f"### {tool.name} common parameters\n")[2], flags=re.MULTILINE)[0]
    for action in tool.actions.values():
        section = re.split(r"^#{2,3} ", text.partition(f"### {tool.name} {action.name}\n")[2], flags=re.MULTILINE)[0]
        assert action.help_text in section
        assert f"{tool.name} {json.dumps(action.example, ensure_ascii=False)}" in section
        assert all(f"`{alias}`" in section for alias in action.aliases)
        for param in action.params.values():
            [row] = [row for row in (section + common).splitlines() if row.startswith(f"| `{param.name}` |")][:1]
            assert ("| required |" in row) is param.required, row
            assert f"`{param.name}`" in section
            assert all(f"`{value}`" in row for value in param.schema.get("enum", ())), row
            assert "default" not in param.describe() or f"| `{json.dumps(param.default)}` |" in row, row


def test_the_page_of_the_tools_names_what_moved_and_what_was_not_taken_over() -> None:
    text = PAGE.read_text(encoding="utf-8")

    assert all(f"| `{tool}` | `{once}` | [{now.tool} {now.action}]" in text for (tool, once), now in ELSEWHERE.items())
    assert all(f"- `{name}`: {why}" in text for name, why in GONE.items())
    assert "(docs/tools.md)" in README


def test_the_page_about_what_agents_get_names_every_prompt_and_every_kind_of_page() -> None:
    assert all(f"`{name}`" in AGENTS_PAGE for name in (*PROMPTS, *TEMPLATES))


def test_the_documents_show_calls() -> None:
    shown = {path.name: len(re.findall(r"memory_[a-z]+ \{", path.read_text(encoding="utf-8"))) for path in DOCUMENTS}

    assert shown["for-agents.md"] >= 8
    assert sum(number > 0 for number in shown.values()) >= 4


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_a_link_in_a_document_leads_to_a_file_and_a_heading_of_it(path: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!http)([^)#]*)#?([^)]*)\)", path.read_text(encoding="utf-8")):
        file = path.parent / target if target else path
        assert file.exists(), target
        headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8") if anchor else "", re.MULTILINE)
        assert not anchor or anchor in [re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in headings]


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_a_command_that_a_document_shows_exists(path: Path) -> None:
    known = {command.name for command in app.registered_commands} | {group.name for group in app.registered_groups}
    shown = re.findall(r"(?:project-memory|-m server) ([a-z][a-z-]+)\b(?!:)", path.read_text(encoding="utf-8"))

    assert set(shown) <= known | {"args"}  # which stands for any


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_a_path_in_a_document_leads_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"`{3}.*?`{3}", "", text, flags=re.DOTALL) if path == PAGE else text  # examples of other projects
    paths = re.findall(r"(?<![\w./])\.?/?((?:server|scripts|tests|migrations|catalog)/[\w/]*\.?\w+)", text)

    assert [name for name in paths if not (ASSETS / name).exists() and "NNNN" not in name] == []


def test_the_changelog_has_a_place_for_what_comes_next() -> None:
    assert "## [Unreleased]" in CHANGELOG
