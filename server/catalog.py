"""The tool catalog: `catalog/<tool>.json` is the registry written down, reviewed like code and seeded."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from server.registry import Action, Tool

Entry = dict[str, Any]


def entry(tool: Tool) -> Entry:
    """Return what the catalog says of a tool."""
    actions = [tool.actions[name] for name in sorted(tool.actions)]
    return {
        "name": tool.name,
        "title": tool.title,
        **_listed(tool),
        "readOnly": _listed(tool.reading()),
        "actions": [_action(a) for a in actions],
    }


def _listed(tool: Tool) -> Entry:
    """Return what `tools/list` says of the actions of a tool."""
    actions = tool.actions.values()
    return {
        "description": tool.description(),
        "inputSchema": tool.input_schema(),
        "annotations": {
            "readOnlyHint": all(a.read_only for a in actions),
            "destructiveHint": any(a.destructive for a in actions),
            "idempotentHint": False,
            "openWorldHint": False,
        },
    }


def _action(action: Action) -> Entry:
    return {
        "name": action.name,
        "summary": action.summary,
        "help": action.help_text,
        "readOnly": action.read_only,
        "destructive": action.destructive,
        "aliases": list(action.aliases),
        "required": action.required,
        "params": [param.describe() for param in action.params.values()],
        "example": action.example,
    }


def render(tool: Tool) -> str:
    """Return the text of the tool's catalog file."""
    return json.dumps(entry(tool), indent=2, ensure_ascii=False) + "\n"


def stale(tools: Iterable[Tool], folder: Path) -> dict[str, str | None]:
    """Return the files of `folder` that differ from the registry, each with the text it should have, or None."""
    wanted = {f"{tool.name}.json": render(tool) for tool in tools}
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    names = sorted(wanted.keys() | found.keys())
    return {name: wanted.get(name) for name in names if wanted.get(name) != found.get(name)}


def write(tools: Iterable[Tool], folder: Path) -> list[str]:
    """Make `folder` say what the registry says; return the names of the files that changed."""
    changes = stale(tools, folder)
    for name, text in changes.items():
        if text is None:
            (folder / name).unlink()
        else:
            (folder / name).write_text(text, encoding="utf-8")
    return list(changes)


def load(folder: Path) -> list[Entry]:
    """Read the catalog files, in the order of their names."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]


def digest(folder: Path) -> str:
    """Return a hash that changes with any catalog file."""
    whole = hashlib.sha256()
    for path in sorted(folder.glob("*.json")):
        whole.update(path.name.encode() + b"\0" + path.read_bytes())
    return whole.hexdigest()
