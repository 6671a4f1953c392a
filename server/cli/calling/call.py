"""`call`: one action, in this process, on the store of the settings."""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import anyio

from server import aliases, calls
from server.cli import person
from server.cli.calling import answer, values
from server.db.storage.lock_holder import describe
from server.errors import InvalidArguments, NotAllowed, ProjectMemoryError, UnknownAction
from server.models.approvals import Via
from server.protocol.state import Told, boundary, carried, failure
from server.registry import HELP, Action, Tool, nearest
from server.settings import Flags, Settings, configure_logging, load
from server.store import Store
from server.tools import TOOLS
from server.tools.approvals.asking import Answer, Question
from server.tools.common import SHARED

AGENT = "cli"
PREFIX = "memory_"
ERROR_ANSWER, MISUSE = 1, 2


@dataclass(frozen=True)
class Meant:
    """A call as the words of a command line mean it."""

    tool: Tool
    action: Action
    arguments: Mapping[str, object]


@dataclass(frozen=True)
class AtTerminal:
    """The person at the terminal that this command was typed in."""

    client: str
    via: Via = "terminal"

    def begin(self) -> None:
        """It can be asked here."""

    async def ask(self, question: Question) -> Answer | None:
        """Return a yes if the code was typed back. Ctrl-C ends the command: the loop would only take notice of it."""
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            person.ask(question.text.split("\n"), "allow it")
        except NotAllowed as refused:
            print(refused, file=sys.stderr)
            return None
        finally:
            signal.signal(signal.SIGINT, before)
        return Answer(yes=True)


def run(words: Sequence[str], flags: Flags, *, as_json: bool) -> int:
    """Make the call, print its answer, and return the exit code."""
    chosen = load(flags)
    configure_logging(chosen)
    try:
        meant = understood(words, chosen)
    except ProjectMemoryError as error:
        answer.show_error(failure(error), words, as_json=as_json)
        return MISUSE
    if meant.action.name != HELP and not meant.action.writes(meant.arguments):
        chosen.require_database()
    told = anyio.run(_answered, chosen, meant)
    if told.is_error:
        answer.show_error(told, words, as_json=as_json)
        return ERROR_ANSWER
    answer.show(told, words, chosen, as_json=as_json)
    return 0


def understood(words: Sequence[str], chosen: Settings) -> Meant:
    """Return the call that words mean, or raise what is wrong with them."""
    if not words:
        raise InvalidArguments("Name a tool and an action: `project-memory call --list` shows them.")
    tool = named(calls.offered(chosen), words[0])
    if len(words) == 1 or "=" in words[1]:
        tool.find(None)
    given = values.read(values.split(words[2:]))
    if "action" in given:
        raise InvalidArguments(f"The action is {words[1]!r} already: leave out action=.")
    tool, renamed = aliases.addressed(TOOLS, tool, {"action": words[1], **given})
    action = tool.find(renamed["action"])
    arguments = {name: _argument(action, name, texts) for name, texts in renamed.items()}
    meant = Meant(tool, action, {**arguments, **_actor(action, arguments)})
    tool.bind(meant.arguments)
    return meant


def named(tools: Mapping[str, Tool], name: str) -> Tool:
    """Return the tool of a name, which may lack what the names of all begin with."""
    full = name.removeprefix(PREFIX)
    if found := tools.get(f"{PREFIX}{full}"):
        return found
    known = [one.removeprefix(PREFIX) for one in tools]
    near = nearest(full, known)
    raise UnknownAction(
        f"There is no tool {name[:80]!r}.{f' Did you mean {near!r}?' if near else ''} Tools: {', '.join(known)}."
    )


def _argument(action: Action, name: str, texts: object) -> object:
    """Return the value of an argument; what an older name of the action itself says is no text of the person's."""
    if not isinstance(texts, list):
        return texts
    words = cast(list[str], texts)
    if name not in action.params:
        return words[0]
    found = values.value(action.params[name], words)
    if name == "workspace_path" and isinstance(found, str) and found:
        return str(Path(found).expanduser().absolute())
    return found


def _actor(action: Action, arguments: Mapping[str, object]) -> dict[str, object]:
    """Return who calls, where an action has to know and nothing else tells it."""
    param = action.params.get("agent")
    is_actor = param is not None and (param == SHARED["agent"] or param.required)
    return {"agent": AGENT} if is_actor and not {"agent", "session_id"} & arguments.keys() else {}


async def _answered(chosen: Settings, meant: Meant) -> Told:
    store = Store(chosen)
    tools = {meant.tool.name: meant.tool}
    try:
        async with boundary(f"{meant.tool.name} {meant.action.name}"):
            return Told(carried(await calls.run(store, tools, meant.tool.name, meant.arguments, asker=_asker())))
    except ProjectMemoryError as error:
        return failure(error)
    finally:
        await store.close()


def _asker() -> AtTerminal | None:
    """Return the person who can be asked, if there is one: a pipe is nobody, nor is who runs an agent's commands."""
    try:
        person.refuse_agents("answer")
    except NotAllowed:
        return None
    return AtTerminal(f"started by {describe(os.getppid())}")
