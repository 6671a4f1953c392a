"""How this server is started, from whatever folder and by whatever editor."""

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from server.errors import InvalidArguments
from server.settings import PACKAGE, SETTINGS, YES, Flags, default_root, load, split
from server.text.broken import broken_text
from server.tools.commands import SCRIPT, joined, on

WHERE = "import server; print(server.__path__[0])"
MODULE = ("-m", "server")


@dataclass(frozen=True)
class LaunchCommand:
    """The command that starts the server, from whatever folder."""

    command: str
    args: list[str]
    env: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def entry(self) -> dict[str, object]:
        return {"command": self.command, "args": self.args, **({"env": self.env} if self.env else {})}

    def typed(self, *words: str) -> str:
        """Return a command of this program for a person to type."""
        if not self.env:
            return on(Path(default_root()), *words)
        variables = [f"{name}={joined(value)}" for name, value in self.env.items()]
        return " ".join([*variables, joined(self.command, *self.args, *words)])

    def with_settings(self, flags: Flags) -> "LaunchCommand":
        """Return the command with settings in its arguments: some editors pass no environment on."""
        return LaunchCommand(self.command, [*self.args, *arguments_of(flags)], self.env)


@cache
def launch() -> LaunchCommand:
    """Return how to start the server that is running now.

    Editors start it in the project's folder, where a folder called `server` would be imported in its place by a plain
    `python -m server`, and PYTHONPATH may name another one: -I ignores both. It also ignores what is not installed for
    good; then -P, and a PYTHONPATH of its own, does.
    """
    isolated = subprocess.run([sys.executable, "-I", "-c", WHERE], capture_output=True, text=True, check=False)
    if isolated.returncode == 0 and Path(isolated.stdout.strip()).resolve() == PACKAGE:
        return LaunchCommand(sys.executable, ["-I", *MODULE])
    return LaunchCommand(sys.executable, ["-P", *MODULE], {"PYTHONPATH": str(PACKAGE.parent)})


def arguments_of(flags: Flags) -> list[str]:
    """Return settings as arguments that mean the same in every folder, or refuse a value that they do not take."""
    chosen = load(flags, {})
    if chosen.tools:
        from server.calls import offered  # with all tools

        offered(chosen)
    if broken_text(dict(flags)):
        raise InvalidArguments("A value holds bytes that are no Unicode text, which no editor's file can hold.")
    words = list[str]()
    for setting in SETTINGS:
        if setting.name not in flags:
            continue
        value = flags[setting.name]
        if setting.flag_only:
            words += [setting.flag] if value in YES else []
        elif setting.name in ("data_root", "mirror"):
            words += [setting.flag, str(getattr(chosen, setting.name))]
        elif setting.name == "workspace" and Path(value).is_dir():
            words += [setting.flag, str(Path(value).absolute())]
        else:
            words += [setting.flag, value]
    return words


def settings_in(words: Sequence[str]) -> Flags | None:
    """Return the settings in a command that starts this server, None for one that starts something else."""
    for place in range(len(words) - 1):
        if tuple(words[place : place + 2]) == MODULE:
            return _settings(words[place + 2 :])
    if words and re.split(r"[\\/]", words[0])[-1].removesuffix(".exe") == SCRIPT:
        return _settings(words[1:])
    return None


def _settings(arguments: Sequence[str]) -> Flags:
    """Return the settings in arguments; none if there is anything else among them, or a value that means nothing."""
    try:
        flags, rest = split(arguments)
        arguments_of(flags)
    except InvalidArguments:
        return {}
    return {} if rest else flags
