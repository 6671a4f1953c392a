"""How each editor is told to start this server."""

import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from server.settings import PACKAGE

NAME = "project-memory"
START_SECONDS = 30  # that a client gives the server to start, on a machine that is busy
WHERE = "import server; print(server.__path__[0])"


@dataclass(frozen=True)
class LaunchCommand:
    """The command that starts the server, from whatever folder."""

    command: str
    args: list[str]
    env: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def entry(self) -> dict[str, object]:
        return {"command": self.command, "args": self.args, **({"env": self.env} if self.env else {})}

    @property
    def shell(self) -> str:
        words = [self.command, *self.args]
        return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def launch() -> LaunchCommand:
    """Return how to start the server that is running now.

    Editors start it in the project's folder, where a folder called `server` would be imported in its place by a plain
    `python -m server`, and PYTHONPATH may name another one: -I ignores both. It also ignores what is not installed for
    good; then -P, and a PYTHONPATH of its own, does.
    """
    isolated = subprocess.run([sys.executable, "-I", "-c", WHERE], capture_output=True, text=True, check=False)
    if isolated.returncode == 0 and Path(isolated.stdout.strip()).resolve() == PACKAGE:
        return LaunchCommand(sys.executable, ["-I", "-m", "server"])
    return LaunchCommand(sys.executable, ["-P", "-m", "server"], {"PYTHONPATH": str(PACKAGE.parent)})


@dataclass(frozen=True)
class Editor:
    """An editor, the file it reads, and what to put there. `shell` is a command that does the same."""

    name: str
    file: str
    text: str
    shell: str = ""


def editors(start: LaunchCommand) -> list[Editor]:
    """Return the configuration of each editor; the files in the home folder count for all projects."""
    servers = _json({"mcpServers": {NAME: start.entry}})
    env = "".join(f" --env {shlex.quote(f'{name}={value}')}" for name, value in start.env.items())
    return [
        Editor("VS Code", ".vscode/mcp.json", _json({"servers": {NAME: {"type": "stdio", **start.entry}}})),
        Editor("Claude Code", ".mcp.json", servers, f"claude mcp add{env} --scope user {NAME} -- {start.shell}"),
        Editor("Codex", "~/.codex/config.toml", _toml(start)),
        Editor("Gemini CLI", ".gemini/settings.json or ~/.gemini/settings.json", servers),
        Editor("Copilot CLI", "~/.copilot/mcp-config.json", _json({"mcpServers": {NAME: _copilot(start)}})),
        Editor("Cursor", ".cursor/mcp.json or ~/.cursor/mcp.json", servers),
        Editor(
            "opencode", "opencode.json or ~/.config/opencode/opencode.json", _json({"mcp": {NAME: _opencode(start)}})
        ),
    ]


def _toml(start: LaunchCommand) -> str:
    """Return the entry of Codex, which drops the tools of an optional server that is not up within a second."""
    lines = [f"[mcp_servers.{NAME}]", f"command = {_json(start.command)}", f"args = {_json(start.args)}"]
    lines += ["required = true", f"startup_timeout_sec = {START_SECONDS}"]
    if start.env:
        lines += ["", f"[mcp_servers.{NAME}.env]", *(f"{k} = {_json(v)}" for k, v in start.env.items())]
    return "\n".join(lines)


def _copilot(start: LaunchCommand) -> dict[str, object]:
    return {"type": "local", **start.entry, "tools": ["*"]}


def _opencode(start: LaunchCommand) -> dict[str, object]:
    environment = {"environment": start.env} if start.env else {}
    return {"type": "local", "command": [start.command, *start.args], **environment, "enabled": True}


def _json(value: object) -> str:
    """Return JSON on one line; a string or a list of strings is TOML as well."""
    return json.dumps(value, ensure_ascii=False)
