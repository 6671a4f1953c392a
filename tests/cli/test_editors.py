"""The table of clients, the command that starts the server, and the documents that are made of both."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from server.cli.setup import manual
from server.cli.setup.editors import EDITORS, MAC, WINDOWS, Machine, named
from server.cli.setup.launching import LaunchCommand, launch, settings_in
from server.settings import ASSETS
from server.text.editing import jsonc
from tests.e2e.processes import ServerProcess

PLAIN = LaunchCommand("/a folder/python", ["-I", "-m", "server"])
WITH_ENV = LaunchCommand("C:\\Python\\python.exe", ["-P", "-m", "server"], {"PYTHONPATH": 'C:\\a "b"\\ü'})
HOME = Path("/home/me")
APPS = {"linux": HOME / ".config", MAC: HOME / "Library" / "Application Support", WINDOWS: Path("/roaming")}


def machine(platform: str, **environ: str) -> Machine:
    return Machine(platform, HOME, Path("/shop"), {"APPDATA": "/roaming"} | environ)


@pytest.mark.parametrize("start", [PLAIN, WITH_ENV], ids=["plain", "with an environment"])
def test_every_client_is_told_the_same_command(start: LaunchCommand) -> None:
    found = {editor.name: editor.entry(start) for editor in EDITORS}
    env = {"env": start.env} if start.env else {}
    plain = {"command": start.command, "args": start.args, **env}

    for name in ("vscode", "claude", "mcp-json"):
        assert found.pop(name) == {"type": "stdio", **plain}
    assert found.pop("copilot") == {"type": "local", **plain, "tools": ["*"]}
    assert found.pop("codex") == {**plain, "required": True, "startup_timeout_sec": 30}
    assert found.pop("zed") == {**plain, "env": start.env}
    assert found.pop("opencode") == {
        "type": "local",
        "command": [start.command, *start.args],
        "enabled": True,
        **({"environment": start.env} if start.env else {}),
    }
    assert found == dict.fromkeys(("gemini", "cursor", "windsurf", "claude-desktop"), plain)


@pytest.mark.parametrize("start", [PLAIN, WITH_ENV], ids=["plain", "with an environment"])
def test_what_is_to_be_pasted_says_what_setup_writes(start: LaunchCommand) -> None:
    for editor in EDITORS:
        text = manual.snippet(editor, "mine", editor.entry(start))
        assert (tomllib.loads(text) if editor.is_toml else jsonc.read(text)) == {
            editor.key: {"mine": editor.entry(start)}
        }


@pytest.mark.parametrize("platform", APPS)
def test_each_system_has_its_own_places(platform: str) -> None:
    here, apps = machine(platform), APPS[platform]
    found = {
        editor.name: here.at(editor.places("user", platform)[0])
        for editor in EDITORS
        if editor.places("user", platform)
    }

    assert found == {
        "vscode": apps / "Code" / "User" / "mcp.json",
        "claude": HOME / ".claude.json",
        "codex": HOME / ".codex" / "config.toml",
        "gemini": HOME / ".gemini" / "settings.json",
        "copilot": HOME / ".copilot" / "mcp-config.json",
        "cursor": HOME / ".cursor" / "mcp.json",
        "opencode": HOME / ".config" / "opencode" / "opencode.json",
        "windsurf": HOME / ".codeium" / "windsurf" / "mcp_config.json",
        "zed": Path("/roaming/Zed/settings.json")
        if platform == WINDOWS
        else HOME / ".config" / "zed" / "settings.json",
        "claude-desktop": apps / "Claude" / "claude_desktop_config.json",
    }


def test_a_variable_moves_the_files_of_a_client_unless_it_means_nothing() -> None:
    variables = {"CODEX_HOME": "/c", "COPILOT_HOME": "/d", "CLAUDE_CONFIG_DIR": "/e", "XDG_CONFIG_HOME": "/x"}
    moved = machine("linux", **variables)
    still = machine("linux", **dict.fromkeys(variables, "not/absolute"))
    first = {name: named(name).user[0] for name in ("codex", "copilot", "claude", "zed", "vscode")}

    assert [str(moved.at(place)) for place in first.values()] == [
        "/c/config.toml",
        "/d/mcp-config.json",
        "/e/.claude.json",
        "/x/zed/settings.json",
        "/x/Code/User/mcp.json",
    ]
    assert [still.at(place) for place in first.values()] == [machine("linux").at(place) for place in first.values()]


@pytest.mark.parametrize("name", ["README.md", "docs/editors.md"])
def test_a_document_shows_what_setup_writes(name: str) -> None:
    text = (ASSETS / name).read_text(encoding="utf-8")

    assert manual.table() in text
    assert manual.page(text) == text, "scripts/catalog.py writes it anew"


def test_the_page_of_the_clients_says_what_to_know_of_each() -> None:
    text = (ASSETS / "docs" / "editors.md").read_text(encoding="utf-8")

    assert [editor.title for editor in EDITORS if editor.pitfall not in text] == []


def test_the_table_names_every_file() -> None:
    rows = {editor.name: row for editor, row in zip(EDITORS, manual.table().splitlines()[2:], strict=True)}

    assert "Linux: `~/.config/Code/User/mcp.json`<br>macOS: `~/Library/" in rows["vscode"]
    assert "Windows: `%APPDATA%\\Code\\User\\mcp.json`" in rows["vscode"]
    assert "Linux, macOS: `~/.config/zed/settings.json`<br>Windows: `%APPDATA%\\Zed" in rows["zed"]
    assert "`claude mcp add --scope user project-memory -- /path/to/python -I -m server`" in rows["claude"]
    assert [name for name, row in rows.items() if row.count(" | ") != 3] == []
    assert [name for name, row in rows.items() if not re.search(r"`[{\[]", row)] == []


SETTINGS = {
    "ours": (["/p", "-I", "-m", "server", "--tools", "core"], {"tools": "core"}),
    "the script": (["C:\\x\\project-memory.exe", "--read-only"], {"read_only": "1"}),
    "another module": (["/p", "-m", "servers"], None),
    "another program": (["npx", "-y", "project-memory-mcp"], None),
    "with what setup does not know": (["/p", "-m", "server", "demo"], {}),
    "with a value that means nothing": (["/p", "-m", "server", "--log-level", "loud"], {}),
    "nothing": ([], None),
}


@pytest.mark.parametrize(("words", "found"), SETTINGS.values(), ids=SETTINGS)
def test_the_settings_of_an_entry_are_known_if_it_is_ours(words: list[str], found: dict[str, str] | None) -> None:
    assert settings_in(words) == found


async def test_the_command_starts_this_server_in_a_project_that_has_a_folder_called_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "__init__.py").write_text("raise SystemExit('the wrong server')", encoding="utf-8")
    start = launch()
    monkeypatch.chdir(tmp_path)
    for name, value in start.env.items():
        monkeypatch.setenv(name, value)

    server = await ServerProcess.start(tmp_path / "data", command=(start.command, *start.args))

    assert (await server.request("tools/list", {}))["tools"]
    assert await server.close() == 0


def test_a_plain_start_there_would_get_the_wrong_server(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "__init__.py").write_text("raise SystemExit('the wrong server')", encoding="utf-8")
    env = {**os.environ, **launch().env}

    done = subprocess.run(
        [sys.executable, "-m", "server"], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )

    assert done.stderr.strip() == "the wrong server"
