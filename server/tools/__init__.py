"""The tools this server offers, by name. They are imported when they are asked for: most commands need none of them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from server.registry import Tool

    TOOLS: dict[str, Tool]
    GROUPS: dict[str, tuple[str, ...]]  # what a setting may name instead of single tools

CORE = ("workspace", "plan", "steps", "context", "agent", "session")
FURTHER = ("program", "library", "ledger", "filesystem", "terminal")


def __getattr__(name: str) -> Any:
    if name not in ("TOOLS", "GROUPS"):
        raise AttributeError(name)
    core = dict(map(_named, CORE))
    every = core | dict(map(_named, FURTHER))
    globals().update(TOOLS=every, GROUPS={"core": tuple(core), "all": tuple(every)})
    return globals()[name]


def _named(package: str) -> tuple[str, "Tool"]:
    tool: Tool = import_module(f"{__name__}.{package}").TOOL
    return tool.name, tool
