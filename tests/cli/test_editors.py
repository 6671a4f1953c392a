"""What the demo tells people to paste into their editors."""

import json
import os
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from server.cli.setup.editors import Editor, LaunchCommand, editors, launch
from tests.e2e.processes import ServerProcess

PLAIN = LaunchCommand("/a folder/python", ["-I", "-m", "server"])
WITH_ENV = LaunchCommand("C:\\Python\\python.exe", ["-P", "-m", "server"], {"PYTHONPATH": 'C:\\a "b"\\ü'})


def read(editor: Editor) -> dict[str, object]:
    """The entry of the server in what the editor reads."""
    parsed = tomllib.loads(editor.text) if editor.file.endswith(".toml") else json.loads(editor.text)
    [servers] = parsed.values()
    return servers["project-memory"]


@pytest.mark.parametrize("start", [PLAIN, WITH_ENV], ids=["plain", "with an environment"])
def test_every_editor_is_told_the_same_command(start: LaunchCommand) -> None:
    found = {editor.name: read(editor) for editor in editors(start)}
    environment = {"environment": start.env} if start.env else {}

    assert found.pop("VS Code") == {"type": "stdio", **start.entry}
    assert found.pop("Copilot CLI") == {"type": "local", **start.entry, "tools": ["*"]}
    assert found.pop("opencode") == {
        "type": "local",
        "command": [start.command, *start.args],
        "enabled": True,
        **environment,
    }
    assert found.pop("Codex") == {**start.entry, "required": True, "startup_timeout_sec": 30}
    assert found == dict.fromkeys(("Claude Code", "Gemini CLI", "Cursor"), start.entry)


def test_codex_waits_for_the_server_and_gets_no_key_that_it_refuses() -> None:
    [text] = [editor.text for editor in editors(WITH_ENV) if editor.name == "Codex"]
    entry = tomllib.loads(text)["mcp_servers"]["project-memory"]

    assert entry["required"] is True
    assert entry["startup_timeout_sec"] > 1
    assert not entry.keys() & {"type", "transport"}
    assert entry["env"] == WITH_ENV.env


def test_the_readme_shows_the_entries_that_the_demo_prints() -> None:
    start = LaunchCommand("/path/to/python", ["-I", "-m", "server"])
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")

    assert [editor.name for editor in editors(start) if editor.text not in readme] == []
    assert [editor.name for editor in editors(start) if editor.shell and editor.shell not in readme] == []


def test_a_command_for_the_shell_keeps_its_words_apart() -> None:
    for editor in editors(PLAIN):
        if editor.shell:
            words = shlex.split(editor.shell)
            assert words[words.index("--") + 1 :] == [PLAIN.command, *PLAIN.args]


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
