"""The editors and agents that start this server: where each keeps its servers, and how an entry of ours looks there.

One table, EDITORS. `setup` edits by it, and the documents are made of it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from server.cli.setup.launching import LaunchCommand
from server.cli.setup.reaching import Reach
from server.errors import InvalidArguments

NAME = "project-memory"
START_SECONDS = 30  # that a client gives the server to start, on a machine that is busy
Scope = Literal["user", "project"]
Entry = dict[str, object]
MAC, WINDOWS = "darwin", "win32"


@dataclass(frozen=True)
class Machine:
    """What decides where editors keep their files."""

    platform: str
    home: Path
    project: Path
    environ: Mapping[str, str]

    @property
    def folders(self) -> dict[str, Path]:
        """What the names in braces stand for in the files of EDITORS."""
        config = self._named("XDG_CONFIG_HOME", self.home / ".config")
        apps = {
            MAC: self.home / "Library" / "Application Support",
            WINDOWS: self._named("APPDATA", self.home / "AppData" / "Roaming"),
        }
        return {
            "home": self.home,
            "config": config,
            "apps": apps.get(self.platform, config),
            "codex": self._named("CODEX_HOME", self.home / ".codex"),
            "copilot": self._named("COPILOT_HOME", self.home / ".copilot"),
            "claude": self._named("CLAUDE_CONFIG_DIR", self.home),
        }

    def _named(self, variable: str, otherwise: Path) -> Path:
        """Return the folder that a variable names; one that is not absolute means nothing."""
        named = Path(self.environ.get(variable, ""))
        return named if named.is_absolute() else otherwise

    def at(self, place: str) -> Path:
        """Return the path that a place of EDITORS is: of this user, or else in the project."""
        if not place.startswith("{"):
            return self.project / place
        name, _, rest = place[1:].partition("}")
        return self.folders[name] / rest.removeprefix("/")


@dataclass(frozen=True, eq=False)
class Editor:
    """An editor or agent: the files it reads, the key its servers stand under, and what an entry looks like.

    Of several files the first is meant, unless another one exists. Its programs tell that it is there, or `signs`, or
    the folders of its files; `usual` is what the editor adds to an entry by itself. `command` is its own, for a file
    that nothing else may write. `reached` is the entry of a server that is elsewhere, where there is such a thing, and
    `reference` how a variable is written in it.
    """

    name: str
    title: str
    key: str
    user: tuple[str, ...]
    project: tuple[str, ...]
    entry: Callable[[LaunchCommand], Entry]
    pitfall: str
    programs: tuple[str, ...] = ()
    signs: tuple[str, ...] = ()
    project_signs: tuple[str, ...] = ()
    elsewhere: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    usual: Mapping[str, object] = field(default_factory=dict[str, object])
    command: str = ""
    instructions: str = "AGENTS.md"
    library: str = ""
    reached: Callable[[Reach], Entry] | None = None
    reference: str = ""

    def places(self, scope: Scope, platform: str) -> tuple[str, ...]:
        if scope == "project":
            return self.project
        return self.elsewhere.get(platform, self.user)

    def signs_of(self, scope: Scope, platform: str) -> tuple[str, ...]:
        """Return what only exists where the editor is used."""
        if scope == "project":
            return self.project_signs
        return self.signs or tuple(place.rpartition("/")[0] for place in self.places(scope, platform))

    @property
    def is_toml(self) -> bool:
        return any(place.endswith(".toml") for place in (*self.user, *self.project))


def _plain(start: LaunchCommand) -> Entry:
    return {"command": start.command, "args": start.args, **_env(start)}


def _typed(start: LaunchCommand) -> Entry:
    return {"type": "stdio", **_plain(start)}


def _copilot(start: LaunchCommand) -> Entry:
    return {"type": "local", **_plain(start), "tools": ["*"]}


def _codex(start: LaunchCommand) -> Entry:
    started = {"command": start.command, "args": start.args, "required": True, "startup_timeout_sec": START_SECONDS}
    return {**started, **_env(start)}


def _opencode(start: LaunchCommand) -> Entry:
    environment = {"environment": start.env} if start.env else {}
    return {"type": "local", "command": [start.command, *start.args], **environment, "enabled": True}


def _zed(start: LaunchCommand) -> Entry:
    return {"command": start.command, "args": start.args, "env": start.env}


def _env(start: LaunchCommand) -> Entry:
    return {"env": start.env} if start.env else {}


def _by_url(reference: str, key: str = "url", **more: object) -> Callable[[Reach], Entry]:
    return lambda reach: {**more, key: reach.url, "headers": reach.headers(reference)}


def _codex_by_url(reach: Reach) -> Entry:
    told = {"bearer_token_env_var": reach.variable} if reach.variable else {"http_headers": reach.headers("")}
    return {"url": reach.url, **told, "required": True, "startup_timeout_sec": START_SECONDS}


def _opencode_by_url(reach: Reach) -> Entry:
    return {"type": "remote", "url": reach.url, "headers": reach.headers(OPENCODE), "oauth": False, "enabled": True}


# How a client writes a variable, `@` standing for its name. Who has none takes a token alone.
ENV, PLAIN, OPENCODE, CODEX = "${env:@}", "${@}", "{env:@}", "@"
EDITORS = (
    Editor(
        "vscode", "VS Code", "servers", ("{apps}/Code/User/mcp.json",), (".vscode/mcp.json",), _typed,
        "`type` is required. A named profile has a file of its own: `MCP: Open User Configuration` shows which.",
        programs=("code",), signs=("{apps}/Code",), project_signs=(".vscode",), library="github",
        reached=_by_url(ENV, type="http"), reference=ENV,
    ),
    Editor(
        "claude", "Claude Code", "mcpServers", ("{claude}/.claude.json",), (".mcp.json",), _typed,
        "Only `claude mcp add` writes the user's file, which holds much more. It asks before it uses a project's.",
        programs=("claude",), signs=("{claude}/.claude.json", "{home}/.claude"),
        project_signs=(".mcp.json", ".claude"), usual={"type": "stdio", "env": {}}, command="claude",
        instructions="CLAUDE.md", library="claude", reached=_by_url(PLAIN, type="http"), reference=PLAIN,
    ),
    Editor(
        "codex", "Codex", "mcp_servers", ("{codex}/config.toml",), (".codex/config.toml",), _codex,
        "Without `required` it silently goes without the tools of a server that takes more than a second to start. It "
        "passes few environment variables on, refuses a `type`, and reads a project's file only once you trust it.",
        programs=("codex",), project_signs=(".codex",), library="codex", reached=_codex_by_url, reference=CODEX,
    ),
    Editor(
        "gemini", "Gemini CLI", "mcpServers", ("{home}/.gemini/settings.json",), (".gemini/settings.json",), _plain,
        "It keeps variables that look like secrets from a server, unless its `env` names them.",
        programs=("gemini",), project_signs=(".gemini",), usual={"env": {}},
        instructions="GEMINI.md", library="gemini", reached=_by_url(PLAIN, "httpUrl"), reference=PLAIN,
    ),
    Editor(
        "copilot", "Copilot CLI", "mcpServers", ("{copilot}/mcp-config.json",), (".github/mcp.json",), _copilot,
        "Without `tools` it offers none. VS Code reads the user's file, too.",
        programs=("copilot",), project_signs=(".github/mcp.json",), usual={"env": {}},
        library="github", reached=_by_url("", type="http", tools=["*"]),
    ),
    Editor(
        "cursor", "Cursor", "mcpServers", ("{home}/.cursor/mcp.json",), (".cursor/mcp.json",), _plain,
        "A new server has to be switched on in its settings.",
        programs=("cursor", "cursor-agent"), project_signs=(".cursor",), usual={"env": {}},
        library="cursor", reached=_by_url(ENV), reference=ENV,
    ),
    Editor(
        "opencode", "opencode", "mcp", ("{config}/opencode/opencode.json", "{config}/opencode/opencode.jsonc"),
        ("opencode.json", "opencode.jsonc"), _opencode,
        "The command and its arguments are one list, and the variables are called `environment`.",
        programs=("opencode",), project_signs=("opencode.json", "opencode.jsonc", ".opencode"), library="opencode",
        reached=_opencode_by_url, reference=OPENCODE,
    ),
    Editor(
        "windsurf", "Windsurf", "mcpServers", ("{home}/.codeium/windsurf/mcp_config.json",), (), _plain,
        "It uses at most 100 tools of all servers together.",
        programs=("windsurf",), usual={"env": {}}, reached=_by_url(ENV, "serverUrl"), reference=ENV,
    ),
    Editor(
        "zed", "Zed", "context_servers", ("{config}/zed/settings.json",), (".zed/settings.json",), _zed,
        "Its settings have comments and commas at the end, which stay.",
        programs=("zed", "zeditor"), project_signs=(".zed",),
        elsewhere={MAC: ("{home}/.config/zed/settings.json",), WINDOWS: ("{apps}/Zed/settings.json",)},
        usual={"source": "custom", "env": {}}, reached=_by_url(""),
    ),
    Editor(
        "claude-desktop", "Claude Desktop", "mcpServers", ("{apps}/Claude/claude_desktop_config.json",), (), _plain,
        "It reads the file when it starts: quit it and start it again.",
        usual={"env": {}},
    ),
    Editor(
        "mcp-json", "any that reads .mcp.json", "mcpServers", (), (".mcp.json",), _typed,
        "VS Code and Claude Code read it; it is the file that `claude` means with `--scope project`.",
        project_signs=(".mcp.json",), reached=_by_url(PLAIN, type="http"), reference=PLAIN,
    ),
)  # fmt: skip


def named(word: str) -> Editor:
    """Return the editor of a name or title, however it is written."""
    for editor in EDITORS:
        if _letters(word) in (_letters(editor.name), _letters(editor.title)):
            return editor
    known = ", ".join(editor.name for editor in EDITORS)
    raise InvalidArguments(f"There is no client {word[:80]!r} that setup knows. There are: {known}.")


def _letters(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", word.lower())
