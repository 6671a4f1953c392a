"""Messages that were written for agents, in the words of a terminal."""

import re

CALL = "project-memory call"
# What messages tell a client to call, in the words of a terminal.
BEGINNING = re.compile(r"(memory_\w+)(?: \w+)?: ")
HELP_OF = re.compile(r"(?:(memory_\w+) )?action='help' topic='(\w+)'")
HELP = re.compile(r"(?:(memory_\w+) )?action='help'")
ACTION = re.compile(r"(?:(memory_\w+) )?action='(\w+)'")
LIST = re.compile(r"\b(\w+)=\[('\w+'(?:, '\w+')*)\]")


def in_terminal(message: str, tool: str = "") -> str:
    """Return a message with its calls as they are typed in a terminal.

    Those that name no tool are of `tool`, else of the one with which the message begins.
    """
    begins = BEGINNING.match(message)
    tool = tool or (begins[1] if begins else "TOOL")
    message = HELP_OF.sub(lambda m: f"`{CALL} {m[1] or tool} {m[2]} --help`", message)
    message = HELP.sub(lambda m: f"`{CALL} --list {m[1] or tool}`", message)
    message = ACTION.sub(lambda m: f"{CALL} {m[1] or tool} {m[2]}", message)
    return LIST.sub(lambda m: " ".join(f"{m[1]}={one}" for one in re.findall(r"\w+", m[2])), message)
