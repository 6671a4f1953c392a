"""What the catalog says of tools and actions, in a terminal."""

import json
import shlex
import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from server import aliases, calls
from server.cli.calling import answer
from server.cli.calling.call import MISUSE, PREFIX, named
from server.cli.wording import CALL, in_terminal
from server.errors import InvalidArguments, ProjectMemoryError
from server.protocol.state import failure
from server.registry import Action, Tool
from server.settings import Flags, load
from server.tools import TOOLS

WIDEST = 110
NARROWEST = 50


def run(words: Sequence[str], flags: Flags, *, explained: bool) -> int:
    """Print the tools, the actions of one, or all about an action; return the exit code."""
    chosen = load(flags)
    try:
        told = list(_told(calls.offered(chosen), words, explained=explained))
    except ProjectMemoryError as error:
        answer.show_error(failure(error), words, as_json=False)
        return MISUSE
    print("\n".join(told))
    return 0


def _told(tools: Mapping[str, Tool], words: Sequence[str], *, explained: bool) -> Iterator[str]:
    names = [word for word in words if "=" not in word]
    if len(names) > 2 or (len(names) == 2 and not explained):
        raise InvalidArguments(
            f"{names[-1]!r} is too much. {CALL} --list [TOOL] and {CALL} TOOL ACTION --help explain."
        )
    if not names:
        return _tools(tools)
    tool = named(tools, names[0])
    if len(names) == 1:
        return _actions(tool)
    tool, meant = aliases.addressed(TOOLS, tool, {"action": names[1]})
    return _action(tool.find(meant["action"]))


def _tools(tools: Mapping[str, Tool]) -> Iterator[str]:
    for tool in tools.values():
        yield from _wrapped(tool.name.removeprefix(PREFIX), tool.purpose, 14)
    yield from ("", f"The actions of one: {CALL} --list TOOL")


def _actions(tool: Tool) -> Iterator[str]:
    yield from (*_filled(tool.purpose), "")
    for name in sorted(tool.actions):
        yield from _wrapped(name, in_terminal(tool.actions[name].summary, tool.name), 26)
    yield from ("", f"All about one: {CALL} {tool.name.removeprefix(PREFIX)} ACTION --help")


def _action(action: Action) -> Iterator[str]:
    short = action.tool.removeprefix(PREFIX)
    needed = [name if " " in name else f"{name}=..." for name in action.required]
    yield from (" ".join([CALL, short, action.name, *needed, "[name=value ...]"]), "")
    for paragraph in in_terminal(action.help_text, short).split("\n\n"):
        yield from (*_filled(paragraph), "")
    yield from (_kinds(action), "", "Parameters:")
    for param in action.params.values():
        said = param.describe()
        about = "; ".join(filter(None, (_type(said), said.get("description", ""))))
        yield from _wrapped(f"  {param.name}{'*' if param.required else ''}", about, 26)
    yield from ("", "Example:", f"  {example(action)}")


def _kinds(action: Action) -> str:
    if action.writes_with:
        kinds = [f"Writes with {action.writes_with}, else reads"]
    else:
        kinds = ["Reads" if action.read_only else "Writes"]
    kinds += ["destructive: what shows a preview first says how to go on"] if action.destructive else []
    kinds += [f"also called {', '.join(action.aliases)}"] if action.aliases else []
    return f"{'; '.join(kinds)}. * is required."


def _type(said: Mapping[str, Any]) -> str:
    """Return what a parameter takes, in a few words."""
    if "enum" in said:
        kind = "|".join(map(str, said["enum"]))
    elif said["type"] == "array":
        kind = f"list of {_type(said['items'])}"
    elif "fields" in said:
        kind = f"object with {', '.join(said['fields'])}"
    else:
        kind = {"string": "text", "boolean": "true|false"}.get(str(said["type"])) or str(said["type"])
    return f"{kind}, {said['default']} unless given" if "default" in said else kind


def example(action: Action) -> str:
    """Return the example of an action as it is typed."""
    given = {name: value for name, value in action.example.items() if name != "action"}
    words = [f"{name}={_word(value)}" for name, value in given.items()]
    return f"{CALL} {shlex.join([action.tool.removeprefix(PREFIX), action.name, *words])}"


def _word(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"@{text}" if isinstance(value, str) and value.startswith("@") else text


def _wrapped(name: str, text: str, width: int) -> list[str]:
    """Return a name and what it is about, which goes on below itself."""
    inner = _width() - width
    first, *rest = textwrap.wrap(text, inner) or [""]
    head = [f"{name:{width}}{first}"] if len(name) < width else [name, f"{'':{width}}{first}"]
    return [*(line.rstrip() for line in head), *(f"{'':{width}}{line}" for line in rest)]


def _filled(text: str) -> list[str]:
    return textwrap.wrap(text, _width())


def _width() -> int:
    return max(NARROWEST, min(shutil.get_terminal_size().columns, WIDEST))
