"""The tools this server offers, by name."""

from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from server.registry import Tool

CORE = ("workspace", "plan", "steps", "context", "agent", "session")
FURTHER = ("program", "library", "ledger", "filesystem", "terminal")
PREFIX = "memory_"


class Tools(Mapping[str, "Tool"]):
    """Tools by name. Each is imported when it is first taken: most calls and commands need one or none."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(names)

    def __getitem__(self, name: str) -> "Tool":
        if name not in self._names:
            raise KeyError(name)
        return import_module(f"{__name__}.{name.removeprefix(PREFIX)}").TOOL

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


TOOLS = Tools(f"{PREFIX}{package}" for package in (*CORE, *FURTHER))
# What a setting may name instead of single tools.
GROUPS = {"core": tuple(TOOLS)[: len(CORE)], "all": tuple(TOOLS)}
