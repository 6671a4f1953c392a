"""`setup`: the server goes into the files of editors, as people have them, and nothing else in them changes."""

import json
import os
import re
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from server import cli, settings
from server.cli.setup.applying import apply
from server.cli.setup.editors import EDITORS, Editor, Machine, Scope, named
from server.cli.setup.launching import launch
from server.cli.setup.looking import SetupJob, look
from server.cli.setup.manual import snippet
from server.errors import ProjectMemoryError
from server.text.editing import jsonc

NAME = "project-memory"
VARIABLES = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "CODEX_HOME", "COPILOT_HOME", "CLAUDE_CONFIG_DIR", "APPDATA")
FILES: list[tuple[Editor, Scope]] = [
    *((editor, "user") for editor in EDITORS if editor.user and not editor.command),
    *((editor, "project") for editor in EDITORS if editor.project),
]
CLAUDE = """#!{python}
# Stands for Claude Code: keeps what it was called with, and its servers where it keeps them.
import json, pathlib, sys
words = sys.argv[1:]
home = pathlib.Path.home()
with (home / "calls").open("a") as calls:
    calls.write(json.dumps(words) + "\\n")
file = home / ".claude.json"
content = json.loads(file.read_text()) if file.exists() else {{"numStartups": 3}}
servers = content.setdefault("mcpServers", {{}})
if words[1] == "remove":
    del servers[words[words.index("user") + 1]]
elif "--transport" in words:
    name, url = words[words.index("user") + 1 :][:2]
    key, _, value = words[words.index("--header") + 1].partition(": ")
    servers[name] = {{"type": "http", "url": url, "headers": {{key: value}}}}
else:
    place = words.index("--")
    name, command, *args = words[place - 1], *words[place + 1 :]
    if name in servers:
        sys.exit(f"MCP server {{name}} already exists in user config")
    env = dict(word.split("=", 1) for flag, word in zip(words, words[1:]) if flag == "--env")
    servers[name] = {{"type": "stdio", "command": command, "args": args, "env": env}}
file.write_text(json.dumps(content, indent=2))
"""


@dataclass
class Person:
    """A home, a project and a terminal of a person of their own."""

    home: Path
    project: Path
    programs: Path
    capsys: pytest.CaptureFixture[str]

    def setup(self, *words: str, code: int = 0) -> str:
        """Run `project-memory setup` and return what it prints."""
        flags, rest = settings.split(["setup", *words])
        with pytest.raises((SystemExit, ProjectMemoryError)) as ended:
            cli.run(rest, flags)
        told = self.capsys.readouterr()
        if isinstance(ended.value, ProjectMemoryError):
            assert ended.value.exit_code == code, ended.value
            return str(ended.value)
        assert (ended.value.code or 0) == code, told
        return told.out

    def states(self, *words: str, code: int = 0) -> dict[str, str]:
        return {one["client"]: one["state"] for one in self.told(*words, code=code)["clients"]}

    def told(self, *words: str, code: int = 0) -> dict[str, Any]:
        return json.loads(self.setup(*words, "--json", code=code))

    @property
    def machine(self) -> Machine:
        return Machine(sys.platform, self.home, self.project, os.environ)

    def file(self, editor: Editor, scope: Scope) -> Path:
        return self.machine.at(editor.places(scope, sys.platform)[0])

    def has_claude(self) -> None:
        program = self.programs / "claude"
        program.write_text(CLAUDE.format(python=sys.executable), encoding="utf-8")
        program.chmod(0o755)

    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.home / "calls").read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Person:
    found = Person(tmp_path / "a home", tmp_path / "a home" / "my shop", tmp_path / "bin", capsys)
    for folder in (found.project, found.programs):
        folder.mkdir(parents=True)
    for name in (*VARIABLES, *(setting.env for setting in settings.SETTINGS)):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(found.home))
    monkeypatch.setenv("PATH", str(found.programs))
    monkeypatch.chdir(found.project)
    return found


def entry_in(editor: Editor, file: Path, name: str = NAME) -> dict[str, Any]:
    text = file.read_text(encoding="utf-8-sig")
    return (tomllib.loads(text) if editor.is_toml else jsonc.read(text))[editor.key][name]


def put(file: Path, text: str) -> bytes:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode())
    return text.encode()


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def by_file(value: object) -> str:
    return value.name if isinstance(value, Editor) else str(value)


@pytest.mark.parametrize(("editor", "scope"), FILES, ids=by_file)
def test_each_client_gets_its_entry_once_and_gives_it_back(person: Person, editor: Editor, scope: Scope) -> None:
    words, file = (editor.name, "--scope", scope), person.file(editor, scope)
    assert person.states(*words) == {editor.name: "added"}
    assert entry_in(editor, file) == editor.entry(launch())
    before = (file.read_bytes(), file.stat().st_mtime_ns)

    assert person.states(*words) == {editor.name: "up to date"}
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before
    assert person.states(*words, "--remove") == {editor.name: "removed"}
    assert NAME not in file.read_text(encoding="utf-8")
    assert person.states(*words, "--remove") == {editor.name: "nothing to remove"}


def test_clients_that_share_a_file_agree_on_its_entry(person: Person) -> None:
    shared: dict[Path, list[dict[str, object]]] = {}
    for editor, scope in FILES:
        shared.setdefault(person.file(editor, scope), []).append(editor.entry(launch()))

    assert any(len(entries) > 1 for entries in shared.values())
    assert all(entries.count(entries[0]) == len(entries) for entries in shared.values())


def test_without_a_name_it_only_says_how_each_client_stands(person: Person) -> None:
    put(person.home / ".cursor" / "mcp.json", "{}")
    put(person.home / ".codex" / "config.toml", "[broken")
    put(person.home / ".gemini" / "settings.json", snippet(named("gemini"), NAME, named("gemini").entry(launch())))
    put(person.home / ".codeium" / "windsurf" / "mcp_config.json", '{"mcpServers": {"project-memory": {"url": "x"}}}')
    before = everything(person.home)

    states = person.states(code=1)

    assert everything(person.home) == before
    assert {name: state for name, state in states.items() if state != "not there"} == {
        "cursor": "would add",
        "codex": "cannot be read",
        "gemini": "up to date",
        "windsurf": "differs",
    }
    assert list(states) == [editor.name for editor in EDITORS if editor.user]
    said = person.setup(code=1)
    assert f"cursor\twould add\t{person.home}/.cursor/mcp.json\t\n" in said
    assert "setup --all" in said
    assert "\x1b" not in said


def test_all_means_every_client_that_is_found(person: Person) -> None:
    (person.home / ".cursor").mkdir()
    (person.programs / "gemini").write_text("#!/bin/sh\n", encoding="utf-8")
    (person.programs / "gemini").chmod(0o755)

    states = person.states("--all")

    assert {name for name, state in states.items() if state == "added"} == {"cursor", "gemini"}
    assert {name for name, state in states.items() if state not in ("added", "not there")} == set()
    assert not (person.home / ".codex").exists()


JSON = {
    "comments": '//\n{\n  // all\n  "KEY": { /* of */\n    "a": {"c": "x"} // it\n    // "b": 1\n  },\n  "z": 1\n}\n',
    "tabs": '{\n\t"KEY": {\n\t\t"a": {\n\t\t\t"command": "x"\n\t\t}\n\t}\n}\n',
    "CRLF": '{\r\n  "KEY": {\r\n    "a": {"command": "x"}\r\n  }\r\n}\r\n',
    "a mark at the beginning": '\ufeff{\n  "KEY": {\n    "a": {}\n  }\n}\n',
    "commas at the end": '{\n  "KEY": {\n    "a": {"args": [1,],},\n  },\n}\n',
    "all on one line": '{"y": [], "KEY": {"a": {"command": "x"}}, "z": {}}',
    "no line end": '{\n  "KEY": {\n    "ünï": {}\n  }\n}',
    "texts that look like more": '{\n  "KEY": {\n    "a": {"args": ["//", "/*", "}", "\\"KEY\\": {"]}\n  }\n}\n',
}
TOML = {
    "comments": '# mine\nmodel = "x" # this\n\n# about a\n[mcp_servers.a]\ncommand = "x"\n# the end\n',
    "CRLF": 'model = "x"\r\n\r\n[mcp_servers.a]\r\ncommand = "x"\r\n',
    "a mark at the beginning": '\ufeffmodel = "x"\n',
    "an inline table": 'mcp_servers = { a = { command = "x", args = ["}"] } }\nmodel = "x"\n',
    "inline tables": '[mcp_servers]\na = { command = "x" }\nb = { command = "y" }\n\n[other]\nz = 1\n',
    "keys with dots": 'mcp_servers.a.command = "x"\nmodel = "x"\n',
    "no line end": '[mcp_servers.a]\ncommand = "x"',
    "texts that look like more": 'notes = """\n[mcp_servers.project-memory]\ncommand = ""\n"""\n[projects."/a"]\n',
}


@pytest.mark.parametrize("text", JSON.values(), ids=JSON)
@pytest.mark.parametrize("name", ["vscode", "opencode", "zed"])
def test_a_json_file_as_people_have_it_keeps_every_byte(person: Person, name: str, text: str) -> None:
    editor = named(name)
    file = person.file(editor, "user")
    before = put(file, text.replace("KEY", editor.key))
    others = jsonc.read(before.decode())

    assert person.states(name) == {name: "added"}
    after = jsonc.read(file.read_text(encoding="utf-8"))
    assert after[editor.key].pop(NAME) == editor.entry(launch())
    assert after == others
    assert person.states(name) == {name: "up to date"}
    assert person.states(name, "--remove") == {name: "removed"}
    assert file.read_bytes() == before


@pytest.mark.parametrize("text", TOML.values(), ids=TOML)
def test_a_toml_file_as_people_have_it_keeps_every_byte(person: Person, text: str) -> None:
    file = person.home / ".codex" / "config.toml"
    before = put(file, text)
    others = tomllib.loads(text.removeprefix("\ufeff"))

    assert person.states("codex") == {"codex": "added"}
    after = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    assert after["mcp_servers"].pop(NAME) == named("codex").entry(launch())
    assert {"mcp_servers": {}, **after} == {"mcp_servers": {}, **others}
    assert person.states("codex") == {"codex": "up to date"}
    assert person.states("codex", "--remove") == {"codex": "removed"}
    assert file.read_bytes() == before


@pytest.mark.parametrize("text", ['{"mcpServers": {', "{'a': 1}", "\x00", '{"mcpServers": []}', "[]"])
def test_a_file_that_cannot_be_read_is_left_alone_and_the_entry_is_printed(person: Person, text: str) -> None:
    file = person.home / ".cursor" / "mcp.json"
    before = put(file, text)

    said = person.setup("cursor", code=1)

    assert file.read_bytes() == before
    assert "cursor\tcannot be read\t" in said
    assert snippet(named("cursor"), NAME, named("cursor").entry(launch())) in said


@pytest.mark.parametrize("data", [b"\xff\xfe{\x00}\x00", b'{"a": "\xe9"}'], ids=["UTF-16", "Latin-1"])
def test_a_file_that_is_no_utf_8_is_left_alone(person: Person, data: bytes) -> None:
    file = person.home / ".cursor" / "mcp.json"
    put(file, "")
    file.write_bytes(data)

    assert "it is no UTF-8 text" in person.setup("cursor", code=1)
    assert file.read_bytes() == data


def test_a_read_only_file_is_left_alone(person: Person) -> None:
    file = person.home / ".cursor" / "mcp.json"
    before = put(file, "{}")
    file.chmod(0o444)

    said = person.setup("cursor", code=1)

    assert "cursor\tfailed\t" in said
    assert "it is read-only" in said
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (before, 0o444)


def test_a_file_with_two_names_is_left_alone(person: Person) -> None:
    file = person.home / ".cursor" / "mcp.json"
    before = put(file, "{}")
    (person.home / "dotfiles.json").hardlink_to(file)

    assert "2 names" in person.setup("cursor", code=1)
    assert file.read_bytes() == before


def test_a_file_of_another_user_is_left_alone(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    file = person.home / ".cursor" / "mcp.json"
    before = put(file, "{}")
    monkeypatch.setattr(os, "geteuid", lambda: file.stat().st_uid + 1)

    assert "it belongs to another user" in person.setup("cursor", code=1)
    assert file.read_bytes() == before


def test_a_folder_in_place_of_the_file_is_left_alone(person: Person) -> None:
    (person.home / ".cursor" / "mcp.json").mkdir(parents=True)

    assert "cannot be read" in person.setup("cursor", code=1)


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664])
def test_a_linked_dotfile_stays_a_link_and_keeps_its_mode(person: Person, mode: int) -> None:
    link, target = person.home / ".codex" / "config.toml", person.home / "dot files" / "codex.toml"
    put(target, 'model = "x"\n')
    target.chmod(mode)
    link.parent.mkdir()
    link.symlink_to(Path("..") / "dot files" / "codex.toml")

    person.setup("codex")

    assert link.is_symlink()
    assert entry_in(named("codex"), target) == named("codex").entry(launch())
    assert stat.S_IMODE(target.stat().st_mode) == mode
    assert sorted(path.name for path in target.parent.iterdir()) == ["codex.toml"]


def test_a_link_that_leads_nowhere_yet_gets_its_file(person: Person) -> None:
    link = person.home / ".codex" / "config.toml"
    link.parent.mkdir()
    link.symlink_to(person.home / "dotfiles" / "codex.toml")

    person.setup("codex")

    assert link.is_symlink()
    assert entry_in(named("codex"), link)


def test_a_link_out_of_a_project_is_never_followed(person: Person) -> None:
    outside = person.home / "settings.json"
    before = put(outside, "{}")
    (person.project / ".cursor").mkdir()
    (person.project / ".cursor" / "mcp.json").symlink_to(outside)

    said = person.setup("cursor", "--scope", "project", code=1)

    assert "leads out of" in said
    assert outside.read_bytes() == before


def test_what_was_there_is_kept_in_the_data_root_for_its_owner_alone(person: Person) -> None:
    file = person.home / ".cursor" / "mcp.json"
    before = put(file, '{"mcpServers": {"a": {"env": {"TOKEN": "secret"}}}}')
    file.chmod(0o644)

    [told] = person.told("cursor", "--data-root", str(person.home / "data"))["clients"]

    backup = Path(told["backup"])
    assert backup.is_relative_to(person.home / "data")
    assert backup.read_bytes() == before
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert sorted(path.name for path in file.parent.iterdir()) == ["mcp.json"]


def test_of_what_a_file_was_the_newest_ten_are_kept_and_all_of_another_file(person: Person) -> None:
    kept = person.home / "data" / "editor-files"
    root = ("--data-root", str(person.home / "data"))
    put(person.project / ".cursor" / "mcp.json", '{"mcpServers": {"mine": {}}}')
    person.setup("cursor", "--scope", "project", *root)
    before: list[bytes] = []
    for number in range(12):
        before.append(put(person.home / ".cursor" / "mcp.json", f'{{"number": {number}}}'))
        person.setup("cursor", *root)

    found = [path.read_bytes() for path in sorted(kept.iterdir())]
    assert found == [b'{"mcpServers": {"mine": {}}}', *before[-10:]]


def test_a_dry_run_shows_no_line_of_another_entry(person: Person) -> None:
    text = json.dumps(
        {"mcpServers": {"other": {"command": "x", "env": {"TOKEN": "secret"}}}, "key": "hidden"}, indent=2
    )
    put(person.home / ".cursor" / "mcp.json", text)
    put(person.home / ".codex" / "config.toml", '[mcp_servers.other]\ncommand = "x"\nenv.TOKEN = "secret"\n')

    said = person.setup("cursor", "codex", "--dry-run")
    assert NAME in said
    assert not re.search("secret|hidden", said)


OLDER: dict[str, Callable[[Editor], dict[str, Any]]] = {
    "cursor": lambda _: {
        "command": "python",
        "args": ["-m", "server"],
        "env": {"PYTHONPATH": "/old", "LANG": "C"},
        "disabled": True,
        "url": "x",
    },
    "codex": lambda _: {"command": "python3", "args": ["-m", "server"], "type": "stdio", "startup_timeout_sec": 90},
    "vscode": lambda _: {"command": "/old/bin/project-memory"},
    "opencode": lambda _: {"type": "local", "command": ["python", "-m", "server"], "enabled": False},
    "copilot": lambda _: {"type": "local", "command": "python", "args": ["-m", "server"], "tools": ["memory_plan"]},
}
KEPT: dict[str, dict[str, Any]] = {
    "cursor": {"env": {"LANG": "C"}, "disabled": True},
    "codex": {"startup_timeout_sec": 90},
    "vscode": {},
    "opencode": {"enabled": False},
    "copilot": {"tools": ["memory_plan"]},
}


@pytest.mark.parametrize("name", OLDER)
def test_an_entry_of_an_older_version_is_renewed_and_keeps_what_a_person_set(person: Person, name: str) -> None:
    editor = named(name)
    file = person.file(editor, "user")
    put(file, snippet(editor, NAME, OLDER[name](editor)) + "\n")

    assert person.states() | {name: "differs"} == person.states()
    assert person.states(name) == {name: "updated"}
    fresh = editor.entry(launch())
    variables = {"env": {**KEPT[name]["env"], **launch().env}} if "env" in KEPT[name] else {}
    assert entry_in(editor, file) == {**fresh, **KEPT[name], **variables}
    assert person.states(name) == {name: "up to date"}


def test_an_entry_of_something_else_is_shown_and_replaced_whole(person: Person) -> None:
    file = person.home / ".cursor" / "mcp.json"
    put(file, '{"mcpServers": {"project-memory": {"command": "npx", "args": ["-y", "x"], "env": {"A": "1"}}}}')

    assert "differs\t" in person.setup()
    assert "it starts something else: npx -y x" in person.setup()
    assert person.states("cursor") == {"cursor": "updated"}
    assert entry_in(named("cursor"), file) == named("cursor").entry(launch())


@pytest.mark.parametrize(("editor", "scope"), FILES, ids=by_file)
def test_settings_go_into_the_arguments_and_stay(person: Person, editor: Editor, scope: Scope) -> None:
    words, file = (editor.name, "--scope", scope), person.file(editor, scope)

    def arguments() -> list[str]:
        entry = entry_in(editor, file)
        found = entry["command"] if isinstance(entry["command"], list) else entry["args"]
        return found[found.index("server") + 1 :]

    person.setup(*words, "--data-root", "da ta", "--tools", "core", "--read-only")
    root = ["--data-root", str(person.project / "da ta")]
    assert arguments() == [*root, "--tools", "core", "--read-only"]
    assert person.states(*words) == {editor.name: "up to date"}
    assert person.states(*words, "--tools", "all") == {editor.name: "updated"}
    assert arguments() == [*root, "--tools", "all", "--read-only"]


def test_a_setting_that_means_nothing_is_refused_before_anything_is_written(person: Person) -> None:
    assert "memory_plans" in person.setup("cursor", "--tools", "memory_plans", code=2)
    assert "--log-level" in person.setup("cursor", "--log-level", "loud", code=2)
    assert everything(person.home) == {}


def test_what_is_advised_does_what_was_looked_at(person: Person) -> None:
    (person.home / ".cursor").mkdir()

    said = person.setup("--tools", "core", "--name", "second", "--instructions")
    assert said.splitlines()[-1].endswith(" setup --all --name second --instructions --tools core")
    assert person.setup("cursor", "--name", "second").splitlines()[-1].endswith(" setup --check --name second")
    assert person.setup("--name", "second").count("Nothing was changed") == 0


def test_a_setting_that_is_no_text_is_refused(person: Person) -> None:
    said = person.setup("cursor", "--data-root", os.fsdecode(b"/data/\xff"), code=2)

    assert "no Unicode text" in said
    assert everything(person.home) == {}


def test_a_folder_that_is_gone_is_told(person: Person) -> None:
    person.project.rmdir()

    assert "is gone" in person.setup("cursor", code=2)


def test_a_variable_that_no_entry_has_is_told(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PM_DATA_ROOT", str(person.home / "data"))

    assert "PM_DATA_ROOT in this shell will not reach every client" in person.setup("cursor")
    assert entry_in(named("cursor"), person.home / ".cursor" / "mcp.json") == named("cursor").entry(launch())


@pytest.mark.parametrize("text", ["", '{\n\t"a": 1\n}', '{\r\n  "mcpServers": {"b": {}}\r\n}\r\n', '{"é": "\t"}\n'])
def test_a_dry_run_prints_the_exact_change_and_makes_none(person: Person, text: str, tmp_path: Path) -> None:
    file = person.home / ".cursor" / "mcp.json"
    before = put(file, text.replace("\t", "") if "é" in text else text)

    patch = person.setup("cursor", "--dry-run").partition("Nothing was changed")[0]
    assert file.read_bytes() == before
    assert "setup cursor" in person.setup("cursor", "--dry-run")
    person.setup("cursor")
    wanted = file.read_bytes()
    file.write_bytes(before)

    body = patch.replace(str(file), "a/mcp.json", 1).replace(str(file), "b/mcp.json", 1)
    apply_ = [
        "/usr/bin/env",
        "PATH=/usr/bin:/bin:/usr/local/bin",
        "git",
        "apply",
        "--whitespace=nowarn",
        "--unidiff-zero",
        "-",
    ]
    done = subprocess.run(apply_, input=body.encode(), cwd=file.parent, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert file.read_bytes() == wanted


def test_a_dry_run_of_a_new_file_shows_all_of_it(person: Person) -> None:
    said = person.setup("codex", "--dry-run")

    assert f"--- {os.devnull}" in said
    assert "+[mcp_servers.project-memory]" in said
    assert not (person.home / ".codex").exists()


def test_claude_code_is_told_by_its_own_command(person: Person) -> None:
    person.has_claude()
    start = launch()
    environment = [word for name, value in start.env.items() for word in ("--env", f"{name}={value}")]
    add = ["mcp", "add", *environment, "--scope", "user", NAME, "--", start.command, *start.args]

    assert "claude mcp add" in person.setup("claude", "--dry-run")
    assert not (person.home / "calls").exists()
    assert person.states("claude") == {"claude": "added"}
    assert person.states("claude") == {"claude": "up to date"}
    assert person.calls() == [add]
    assert json.loads((person.home / ".claude.json").read_text(encoding="utf-8"))["numStartups"] == 3

    assert person.states("claude", "--tools", "core") == {"claude": "updated"}
    assert person.states("claude", "--remove") == {"claude": "removed"}
    remove = ["mcp", "remove", "--scope", "user", NAME]
    assert person.calls()[1:] == [remove, [*add, "--tools", "core"], remove]


def test_without_the_program_of_claude_code_its_file_is_not_touched(person: Person) -> None:
    before = put(person.home / ".claude.json", '{"projects": {}}')

    said = person.setup("claude", code=1)

    assert "claude mcp add" in said
    assert (person.home / ".claude.json").read_bytes() == before


def test_a_program_of_claude_code_that_fails_is_told_with_its_words(person: Person) -> None:
    program = person.programs / "claude"
    program.write_text("#!/bin/sh\necho not logged in >&2; exit 3\n", encoding="utf-8")
    program.chmod(0o755)

    assert "ended with 3: not logged in" in person.setup("claude", code=1)


def test_a_check_starts_what_setup_wrote_and_lists_its_tools(person: Person) -> None:
    mine = ("--tools", "memory_plan,memory_steps", "--data-root", str(person.home / "mine"))
    person.setup("cursor", *mine)
    person.setup("opencode")
    before = everything(person.home)

    checks = {one["client"]: one for one in person.told("--check")["checks"]}

    assert {name: one["state"] for name, one in checks.items()} == {"cursor": "works", "opencode": "works"}
    assert checks["cursor"]["told"].endswith("memory_plan, memory_steps")
    assert checks["cursor"]["told"].startswith("2 tools after ")
    assert "memory_workspace" in checks["opencode"]["told"]
    assert everything(person.home) == before
    assert not (person.home / "mine" / "project-memory.db").exists()


@pytest.mark.parametrize("more", [{}, {"env": {"PYTHONSTARTUP": "x"}}])
def test_a_check_never_starts_what_setup_would_not_write(person: Person, more: dict[str, Any]) -> None:
    trap = person.programs / "trap"
    trap.write_text("#!/bin/sh\ntouch ran\n", encoding="utf-8")
    trap.chmod(0o755)
    command = {"command": str(trap), "args": []} if not more else named("cursor").entry(launch())
    put(person.home / ".cursor" / "mcp.json", json.dumps({"mcpServers": {NAME: {**command, **more}}}))

    [told] = person.told("cursor", "--check", code=1)["checks"]

    assert (told["ok"], told["state"]) == (False, "not started")
    assert not (person.project / "ran").exists()


def test_a_check_of_a_client_without_an_entry_says_so(person: Person) -> None:
    assert "cursor\tno entry" in person.setup("cursor", "--check", code=1)
    assert "setup --all" in person.setup("--check")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("emacs",), "There are: vscode, claude, codex"),
        (("cursor", "--all"), "not both"),
        (("windsurf", "--scope", "project"), "--scope user"),
        (("mcp-json",), "--scope project"),
        (("cursor", "--name", "two words"), "--name takes"),
        (("--check", "--scope", "project"), "--check"),
        (("--check", "--dry-run"), "--check"),
    ],
)
def test_what_makes_no_sense_is_refused(person: Person, words: tuple[str, ...], said: str) -> None:
    assert said in person.setup(*words, code=2)
    assert everything(person.home) == {}


@pytest.mark.parametrize(
    ("word", "name"), [("VS Code", "vscode"), ("claude-code", "claude"), ("Gemini-CLI", "gemini"), ("CODEX", "codex")]
)
def test_a_client_has_its_title_for_a_name_too(word: str, name: str) -> None:
    assert named(word).name == name


def test_an_entry_has_the_name_that_is_wanted(person: Person) -> None:
    person.setup("cursor", "codex")
    person.setup("cursor", "codex", "--name", "second", "--data-root", str(person.home / "second"))

    for name in ("cursor", "codex"):
        file = person.file(named(name), "user")
        assert entry_in(named(name), file) == named(name).entry(launch())
        assert str(person.home / "second") in entry_in(named(name), file, "second")["args"]
    person.setup("cursor", "--remove", "--name", "second")
    assert entry_in(named("cursor"), person.home / ".cursor" / "mcp.json") == named("cursor").entry(launch())


def test_of_two_files_of_a_client_the_one_that_is_there_is_meant(person: Person) -> None:
    folder = person.home / ".config" / "opencode"
    put(folder / "opencode.jsonc", "{} // mine\n")

    person.setup("opencode")

    assert sorted(path.name for path in folder.iterdir()) == ["opencode.jsonc"]
    put(folder / "opencode.json", "{}")
    assert person.states("opencode") == {"opencode": "up to date"}


def test_a_file_that_changes_in_between_is_left_to_who_changed_it(person: Person) -> None:
    file = person.home / ".cursor" / "mcp.json"
    put(file, "{}")
    job = SetupJob(person.machine, "user", NAME, launch(), {})
    finding = look(named("cursor"), job, is_named=True)
    now = put(file, '{"mcpServers": {"new": {}}}')

    done = apply(finding, job, person.home / "data")

    assert (done.state, file.read_bytes()) == ("failed", now)
    assert "run the same command again" in done.why


def test_a_key_that_stands_twice_is_not_guessed_at(person: Person) -> None:
    before = put(person.home / ".cursor" / "mcp.json", '{"mcpServers": {}, "mcpServers": {"a": {}}}')

    assert "stands in it 2 times" in person.setup("cursor", code=1)
    assert (person.home / ".cursor" / "mcp.json").read_bytes() == before


def test_what_a_file_says_moves_no_cursor(person: Person) -> None:
    text = json.dumps({"mcpServers": {NAME: {"command": "\x1b[2J\u202egnp", "args": []}}}, ensure_ascii=False)
    put(person.home / ".cursor" / "mcp.json", text.replace("\x1b", "\\u001b"))

    said = person.setup() + person.setup("cursor", "--dry-run")

    assert "\x1b" not in said
    assert "\u202e" not in said


def test_the_command_says_the_same_in_a_process_of_its_own(person: Person) -> None:
    words = [sys.executable, "-I", "-m", "server", "setup", "cursor", "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    [told] = json.loads(done.stdout)["clients"]
    assert (told["state"], told["file"]) == ("added", str(person.home / ".cursor" / "mcp.json"))
