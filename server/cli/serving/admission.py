"""Who is let in: tokens for programs, links for browsers."""

import webbrowser
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import TypeVar, get_args

import anyio

from server.cli import person
from server.cli.serving import running
from server.db.access import tokens, web_sessions
from server.db.storage.connection import Database
from server.errors import Conflict, InvalidArguments
from server.models.access import TokenRole
from server.models.base import encode
from server.settings import Flags, Settings, load, load_existing
from server.store import open_store
from server.text.display import shown
from server.tools.commands import command
from server.web import links
from server.web.access import add_token

T = TypeVar("T")
LONGEST_NAME = 100
ROLES: tuple[TokenRole, ...] = get_args(TokenRole)
MEANS = {"agent": "all actions, as an agent", "reader": "the actions that only read"}


def add(flags: Flags, name: str, role: str) -> int:
    """Make a token, once a person has typed the code, and show it."""
    chosen = load(flags)
    wanted = _role(role)
    name = name.strip()
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise InvalidArguments(f"The name of a token has 1 to {LONGEST_NAME} characters that can be shown.")
    person.refuse_agents("add a token")
    if found := _in(chosen, lambda db: tokens.find(db, name)):
        raise Conflict(f"There is a token {found.name!r} already. Choose another name, or revoke that one first.")
    lines = [f"Let programs that have the token {name!r} use {chosen.database}", f"They may call {MEANS[wanted]}."]
    word = person.ask(lines, "add the token")
    secret = _in(chosen, lambda db: add_token(db, name, wanted, word))
    print("The token, shown this once:", secret, sep="\n")
    return 0


@dataclass(frozen=True)
class MadeToken:
    """A token that was made for a client, under a name that was free."""

    name: str
    secret: str


def add_for(chosen: Settings, clients: Sequence[str]) -> dict[str, MadeToken]:
    """Make a token for each client, once a person has typed the code."""
    lines = [f"Let {', '.join(clients)} use {chosen.database}, each with a token of its own that its file holds."]
    word = person.ask([*lines, f"They may call {MEANS['agent']}."], "add them")

    async def work(db: Database) -> dict[str, MadeToken]:
        taken = {token.name for token in await tokens.all_(db) if not token.revoked_at}
        made: dict[str, MadeToken] = {}
        for client in clients:
            names = (f"{client}-{n}" if n > 1 else client for n in count(1))
            name = next(name for name in names if name not in taken)
            made[client] = MadeToken(name, await add_token(db, name, "agent", word))
        return made

    return _in(chosen, work)


def take_back(chosen: Settings, name: str) -> None:
    """Refuse a token that reached nobody."""

    async def work(db: Database) -> None:
        async with db.transaction() as tx:
            await tokens.revoke(tx, name)

    _in(chosen, work)


def _role(told: str) -> TokenRole:
    for role in ROLES:
        if role == told:
            return role
    raise InvalidArguments(f"--role is {told!r}; it takes one of: {', '.join(ROLES)}.")


def list_(flags: Flags, *, as_json: bool) -> int:
    """Print the tokens, without what they are."""
    found = _in(load_existing(flags), tokens.all_)
    if as_json:
        print(encode({"tokens": [token.model_dump(exclude_none=True) for token in found]}))
        return 0
    for token in found:
        state = f"revoked {token.revoked_at}" if token.revoked_at else "in use"
        print(f"{shown(token.name)}  {token.role}  {state}  (made {token.created_at} by {shown(token.created_by)})")
    if not found:
        print("There are no tokens. `serve token add NAME --role agent` makes one.")
    return 0


def revoke(flags: Flags, name: str) -> int:
    """Refuse a token from now on."""

    async def work(db: Database) -> str:
        async with db.transaction() as tx:
            return (await tokens.revoke(tx, name)).name

    print(f"The token {shown(_in(load_existing(flags), work))} is refused from now on.")
    return 0


def list_browsers(flags: Flags, *, as_json: bool) -> int:
    """Print the browsers that are let in."""
    found = _in(load_existing(flags), web_sessions.all_)
    if as_json:
        print(encode({"browsers": [one.model_dump() for one in found]}))
        return 0
    for one in found:
        print(f"{one.web_session_id}  since {one.created_at}, until {one.expires_at}  {shown(one.browser)}")
    if not found:
        print("No browser is let in.")
    return 0


def revoke_browser(flags: Flags, web_session_id: str | None, *, every: bool) -> int:
    """Let a browser in no more, or none of them."""
    if every == bool(web_session_id):
        raise InvalidArguments("Name one browser, as `serve browser list` shows it, or say --all.")

    async def work(db: Database) -> int:
        async with db.transaction() as tx:
            return await web_sessions.revoke(tx, web_session_id)

    print(f"Browsers let in no more: {_in(load_existing(flags), work)}")
    return 0


def open_(flags: Flags) -> int:
    """Print a link to the server that runs, and open it in a browser, if there is one."""
    chosen = load(flags)
    person.refuse_agents("open the dashboard")
    found = running.read(chosen)
    if found is None or not running.answers(found):
        raise Conflict(f"No server runs for {str(chosen.data_root)!r}. Start one: {command(chosen, 'serve')}")
    link = _in(chosen, lambda db: links.new_link(db, found.home))
    until = datetime.now().astimezone().strftime("%H:%M:%S")
    print(f"Good once, for a minute from {until}:", link, sep="\n", flush=True)
    webbrowser.open(link)
    return 0


def _in(chosen: Settings, work: Callable[[Database], Awaitable[T]]) -> T:
    async def run() -> T:
        db = await open_store(chosen)
        try:
            return await work(db)
        finally:
            await db.close()

    return anyio.run(run)
