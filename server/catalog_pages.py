"""The tools as Markdown that a person can read: `docs/tools.md`, and a page an action."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from server.aliases import ELSEWHERE, EVERYWHERE, GONE, OLD_ARGUMENTS, Arguments, Formed, Gone
from server.registry import Action, Alternatives, Param, Tool

Lines = Iterator[str]
Shape = Mapping[str, Any]

HEAD = """\
# The tools

Every tool and every action, with its parameters. Written by `scripts/catalog.py` from the code: `action: "help"` says
the same in a conversation, and `memory_context search` finds an action by what it does. A call names the action
beside its parameters:

```
memory_plan {"action": "help", "topic": "create"}
```

"""
GONE_HEAD = """
## Not taken over

Names of the first implementation that mean nothing here, and why.
"""
ARGUMENTS_HEAD = """
## Parameters that had another name once

Of actions that kept theirs. They are accepted in the same way.

| action | what they are now |
|---|---|"""
ELSEWHERE_HEAD = """
## Names that stood under another tool once

They are accepted there too, and listed nowhere; a client that checks a call against the schema cannot send them.

| tool | once | now | other names of parameters |
|---|---|---|---|"""


def page(tools: Iterable[Tool]) -> str:
    """Return the page of all tools."""
    tools = list(tools)
    lines = [line for tool in tools for line in _tool(tool)]
    contents = [f"- [{tool.name}](#{tool.name}): {tool.purpose}" for tool in tools]
    return "\n".join([HEAD + "\n".join(contents), *lines, *_elsewhere(), *_gone()]) + "\n"


def action_page(action: Action) -> str:
    """Return the page of one action."""
    return "\n".join([f"# {action.tool} {action.name}", *_action(action, {})]) + "\n"


def _tool(tool: Tool) -> Lines:
    actions = [tool.actions[name] for name in sorted(tool.actions)]
    common = {param.name: param for bundle in tool.groups.values() for param in bundle}
    yield from ("", f"## {tool.name}", "", tool.purpose, "")
    yield from (f"- [{a.name}](#{tool.name}-{a.name}): {a.summary}" for a in actions)
    for action in actions:
        yield from ("", f"### {tool.name} {action.name}", *_action(action, common))
    yield from ("", f"### {tool.name} common parameters", "", "Of actions that name them below their own.")
    yield from _table(common.values())


def _action(action: Action, common: Mapping[str, Param]) -> Lines:
    """Yield all about an action; what is `common` to many is only named."""
    own = [param for name, param in action.params.items() if common.get(name) != param]
    yield from ("", " · ".join(_kinds(action)), "", action.help_text)
    yield from _table(own, action)
    if besides := [f"`{name}`" for name, param in action.params.items() if param not in own]:
        yield from ("", f"Also [{', '.join(besides)}](#{action.tool}-common-parameters).")
    yield from ("", "```", f"{action.tool} {json.dumps(action.example, ensure_ascii=False)}", "```")


def _table(params: Iterable[Param], action: Action | None = None) -> Lines:
    params = list(params)
    if params:
        yield from ("", "| parameter | type | default | meaning |", "|---|---|---|---|")
        yield from (f"| {' | '.join(_cells(param, action.one_of if action else ()))} |" for param in params)
    for param in params:
        if fields := _fields(param.describe()):
            yield from ("", f"Each of `{param.name}`:" if "items" in param.schema else f"`{param.name}`:", "")
            yield from _nested(fields)


def _kinds(action: Action) -> Lines:
    if action.writes_with:
        yield f"writes with `{action.writes_with}`, else reads"
    else:
        yield "reads" if action.read_only else "writes"
    if action.destructive:
        yield "a preview unless `confirm` is true"
    if action.aliases:
        yield f"also called {', '.join(f'`{name}`' for name in action.aliases)}"


def _cells(param: Param, one_of: Alternatives) -> Lines:
    """Yield name, type, default and meaning of a parameter."""
    said = param.describe()
    yield f"`{param.name}`"
    yield _type(said)
    yield "required" if param.required else f"`{json.dumps(said['default'])}`" if "default" in said else ""
    ways = " or ".join(" with ".join(f"`{name}`" for name in group) for group in one_of)
    needed = f"needed: {ways}" if any(param.name in group for group in one_of) else ""
    yield _cell("; ".join(filter(None, (said.get("description", ""), needed))))


def _type(said: Shape) -> str:
    if "enum" in said:
        return ", ".join(f"`{value}`" for value in said["enum"])
    if said["type"] == "array":
        most = f", at most {said['max_items']}" if "max_items" in said else ""
        return f"array of {_type(said['items'])}{most}"
    if "max_length" in said:
        return f"{said['type']}, at most {said['max_length']} characters"
    least, most = said.get("minimum"), said.get("maximum")
    if least is not None and most is not None:
        return f"{said['type']}, {least} to {most}"
    return f"{said['type']}, {least} or more" if least is not None else said["type"]


def _fields(said: Shape) -> Mapping[str, Shape]:
    return said.get("fields") or said.get("items", {}).get("fields", {})


def _nested(fields: Mapping[str, Shape], depth: int = 0) -> Lines:
    for name, said in fields.items():
        needed = " (required)" if name.endswith("*") else ""
        about = f"; {said['description']}" if "description" in said else ""
        yield f"{'  ' * depth}- `{name.rstrip('*')}`{needed}: {_type(said)}{about}"
        yield from _nested(_fields(said), depth + 1)


def _elsewhere() -> Lines:
    yield ELSEWHERE_HEAD
    for (tool, once), now in ELSEWHERE.items():
        yield f"| `{tool}` | `{once}` | [{now.tool} {now.action}](#{now.tool}-{now.action}) | {_once(now.renamed)} |"
    yield ARGUMENTS_HEAD
    yield f"| every action | {_once(EVERYWHERE)} |"
    for (tool, action), old in OLD_ARGUMENTS.items():
        yield f"| [{tool} {action}](#{tool}-{action}) | {_once(old)} |"


def _once(old: Arguments) -> str:
    """Return what became of old parameters."""
    now = {name: today.name if isinstance(today, Formed) else today for name, today in old.items()}
    told = (
        f"`{name}` is no more: {today.instead}" if isinstance(today, Gone) else f"`{name}` is `{today}`"
        for name, today in now.items()
    )
    return "; ".join(map(_cell, told))


def _gone() -> Lines:
    yield GONE_HEAD
    yield from (f"- `{name}`: {why}" for name, why in GONE.items())


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
