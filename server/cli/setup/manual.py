"""Entries to put in by hand, and the table of them in the documents: made of what `setup` writes."""

import json

from server.cli.setup.editors import EDITORS, MAC, NAME, WINDOWS, Editor, Entry
from server.cli.setup.launching import LaunchCommand
from server.cli.setup.looking import adding
from server.cli.setup.reaching import Reach
from server.text.editing import toml_tables
from server.tools.commands import joined

EXAMPLE = LaunchCommand("/path/to/python", ["-I", "-m", "server"])
# What the braces in the files of EDITORS are called where a person reads them.
SHOWN = {
    "home": "~",
    "config": "~/.config",
    "codex": "~/.codex",
    "copilot": "~/.copilot",
    "claude": "~",
}
APPS = {
    "linux": ("Linux", "~/.config"),
    MAC: ("macOS", "~/Library/Application Support"),
    WINDOWS: ("Windows", "%APPDATA%"),
}


def snippet(editor: Editor, name: str, entry: Entry) -> str:
    """Return what a person pastes into a file that has nothing else."""
    if editor.is_toml:
        return toml_tables.with_member("", (editor.key, name), entry).rstrip("\n")
    return json.dumps({editor.key: {name: entry}}, ensure_ascii=False)


def table() -> str:
    """Return the table of all clients as Markdown."""
    lines = ["| client | your file | a project's file | what stands there |", "|---|---|---|---|"]
    for editor in EDITORS:
        entry = snippet(editor, NAME, editor.entry(EXAMPLE))
        project = "".join(f"`{place}`" for place in editor.project[:1])
        lines.append(f"| {editor.title} (`{editor.name}`) | {_user_files(editor)} | {project} | {_code(entry)} |")
    return "\n".join(lines)


def reached() -> str:
    """Return the table of those clients that take an address, as Markdown."""
    lines = ["| client | with a token | with a variable |", "|---|---|---|"]
    for editor in (one for one in EDITORS if one.reached):
        told = [_code(_by_url(editor, reach)) if reach else "" for reach in _reaches(editor)]
        lines.append(f"| {editor.title} (`{editor.name}`) | {told[0]} | {told[1]} |")
    return "\n".join(lines)


def _reaches(editor: Editor) -> tuple[Reach, Reach | None]:
    url = "http://127.0.0.1:7437/mcp"
    return Reach(url), Reach(url, variable="MEMORY_TOKEN") if editor.reference else None


def _by_url(editor: Editor, reach: Reach) -> str:
    assert editor.reached
    if editor.command and not reach.variable:
        return joined(*adding(editor, NAME, editor.reached(reach)))
    return snippet(editor, NAME, editor.reached(reach))


def pitfalls() -> str:
    """Return what to know of each client, as Markdown."""
    return "\n".join(f"- **{editor.title}**: {editor.pitfall}" for editor in EDITORS)


def page(text: str) -> str:
    """Return a document with the table, and with what to know where it has a place for that, as they are now."""
    for kind, made in (("entries", table()), ("addresses", reached()), ("pitfalls", pitfalls())):
        begin, end = f"<!-- {kind}: made by scripts/catalog.py -->", f"<!-- /{kind} -->"
        before, _, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        text = f"{before}{begin}\n{made}\n{end}{after}" if closed else text
    return text


def _user_files(editor: Editor) -> str:
    """Return the file of a user, that of each system where they differ, or the command that alone may write it."""
    told = dict[str, list[str]]()
    for platform, (title, apps) in APPS.items():
        for place in editor.places("user", platform)[:1]:
            told.setdefault(_shown(place, apps), []).append(title)
    if editor.command:
        return f"`{joined(*adding(editor, NAME, editor.entry(EXAMPLE)))}`"
    if len(told) <= 1:
        return "".join(f"`{place}`" for place in told)
    return "<br>".join(f"{', '.join(titles)}: `{place}`" for place, titles in told.items())


def _shown(place: str, apps: str) -> str:
    for name, folder in {**SHOWN, "apps": apps}.items():
        place = place.replace(f"{{{name}}}", folder)
    return place.replace("/", "\\") if place.startswith("%") else place


def _code(text: str) -> str:
    return "<br>".join(f"`{line}`" for line in text.splitlines())
