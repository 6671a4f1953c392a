"""Argument vectors, and rules of which of them may be run: word by word, with a star for whatever follows."""

import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from server.errors import InvalidArguments

ANY = "*"  # as the last word of a rule
LONGEST = 32_000  # characters of a vector
MOST_WORDS = 1000
# What means something to a shell where it stands bare, in words.
BARE = {
    "|": "a pipe or `||`",
    "&": "`&` or `&&`",
    ";": "`;`",
    "<": "a redirection",
    ">": "a redirection",
    "(": "a sub-shell",
    ")": "a sub-shell",
    "\n": "more than one line",
    "*": "a pattern of file names (a star that the program itself reads stands in quotes)",
    "?": "a pattern of file names (a mark that the program itself reads stands in quotes)",
}
EXPANDED = {"$": "a variable or `$(...)`", "`": "a command in backticks"}  # in double quotes, too
EXPANDS = re.compile(r"\$[\w({?!@*#$-]|`")
ASSIGNS = re.compile(r"[A-Za-z_]\w*=")
AT_HOME = re.compile(r"(?:^|\s)~(?=[/\s]|$)")


@dataclass(frozen=True)
class CommandRule:
    """A program and the words behind it. The first of them stands apart if it is no flag, as a sub-command does."""

    program: str
    subcommand: str = ""
    flags: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        return (self.program, *((self.subcommand,) if self.subcommand else ()), *self.flags)

    @property
    def text(self) -> str:
        """The rule as it is written."""
        return " ".join(word if word == ANY else shlex.quote(word) for word in self.words)

    @property
    def is_relative(self) -> bool:
        """Whether its program is a file that is named from a folder on, which is then the project's."""
        return not {"/", os.sep}.isdisjoint(self.program) and not PurePath(self.program).is_absolute()

    def allows(self, vector: Sequence[str], *, in_project_folder: bool = True) -> bool:
        """Return whether it names this very vector: no word is a part of another, nor in another case.

        A relative program is another one in another folder.
        """
        if self.is_relative and not in_project_folder:
            return False
        words = self.words
        if words[-1] == ANY:
            return tuple(vector[: len(words) - 1]) == words[:-1]
        return tuple(vector) == words


def split(command: str, args: Sequence[str] = ()) -> list[str]:
    """Return the words of a command, split as a shell splits them, and those behind them. No shell ever sees them."""
    try:
        vector = [*shlex.split(command), *args]
    except ValueError as error:
        raise InvalidArguments(f"'command' cannot be split into words: {str(error).lower()}.") from error
    return checked(vector)


def checked(vector: list[str]) -> list[str]:
    """Return a vector that a program can be given, or refuse."""
    if not vector or not vector[0]:
        raise InvalidArguments("'command' names no program.")
    if any("\0" in word for word in vector):
        raise InvalidArguments("A word of the command holds a NUL character, which no program can be given.")
    if len(vector) > MOST_WORDS or sum(map(len, vector)) > LONGEST:
        raise InvalidArguments(f"The command is too long: at most {MOST_WORDS} words and {LONGEST} characters.")
    return vector


def of_a_shell(command: str) -> str | None:
    """Return the first thing in a command that only a shell understands, in words; None if it is a plain vector."""
    text = command.strip()
    if ASSIGNS.match(text):
        return "a variable in front of the program (`env NAME=value program` does that without one)"
    quote, at = "", 0
    while at < len(text):
        char = text[at]
        if char == "\\" and quote != "'":
            at += 1
        elif char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        elif quote != "'" and EXPANDS.match(text, at):
            return EXPANDED[char]
        elif not quote and char in BARE:
            return BARE[char]
        elif not quote and char == "~" and AT_HOME.match(text, max(at - 1, 0)):
            return "`~`"
        at += 1
    return None


def rule(pattern: str) -> CommandRule:
    """Return the rule that a pattern such as `git log *` means."""
    program, *rest = split(pattern)
    if ANY in program or ANY in rest[:-1] or any(ANY in word and word != ANY for word in rest):
        raise InvalidArguments(
            f"{pattern[:200]!r} is no rule: a star may only be the last word of all, and stands for whatever follows."
        )
    has_subcommand = bool(rest) and rest[0] != ANY and bool(rest[0]) and not rest[0].startswith("-")
    return CommandRule(program, rest[0] if has_subcommand else "", tuple(rest[has_subcommand:]))


def joined(vector: Sequence[str]) -> str:
    """Return a vector as one types it."""
    return shlex.join(vector)
