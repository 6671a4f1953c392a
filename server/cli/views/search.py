"""`search`: what the one search finds, for a person."""

from dataclasses import dataclass
from typing import Any

import anyio

from server.cli.screen import QUIET, Column, Screen, Styled
from server.cli.views import store
from server.cli.views.plan_status import plan_named
from server.models.base import encode
from server.models.search import ID_NAMES
from server.protocol.reading import ask
from server.settings import Flags, Settings, load_existing
from server.store import Store
from server.tools.commands import command, joined
from server.tools.common import MAX_LIMIT

NAMED = ("agent", "instruction", "skill", "action")  # kinds whose things have a name, and no id
COLUMNS = (Column("KIND"), Column("ID"), Column("WHEN"), Column("TITLE"), Column("TEXT"))


@dataclass(frozen=True)
class SearchRequest:
    """What to look for, and where."""

    query: str
    everywhere: bool = False
    plan: str | None = None
    kinds: tuple[str, ...] = ()
    archived: bool = False
    limit: int = 20


def run(flags: Flags, wanted: SearchRequest, *, as_json: bool) -> int:
    """Print what is found; the exit code is 1 if that is nothing, as that of grep."""
    chosen = load_existing(flags)
    found = anyio.run(_found, chosen, wanted)
    screen = Screen()
    if as_json:
        screen.json(found)
    else:
        _draw(screen, chosen, wanted, found)
    return 0 if found["hits"] else 1


async def _found(chosen: Settings, wanted: SearchRequest) -> dict[str, Any]:
    """Return hits of the search, those on further pages, too."""
    async with store.reading(chosen) as opened:
        db = await opened.open()
        here = await store.scope(db, chosen, everywhere=wanted.everywhere)
        where: dict[str, Any] = (
            {"scope": "workspace", "workspace_id": here[0].workspace_id} if len(here) == 1 else {"scope": "all"}
        )
        if wanted.plan:
            where = {"scope": "plan", "plan_id": await plan_named(db, wanted.plan)}
        more = {"types": list(wanted.kinds)} if wanted.kinds else {}
        asked = {"query": wanted.query, "include_archived": wanted.archived, **where, **more}
        found = await _hits(opened, wanted.limit, **asked)
        return {**found, "scope": where["scope"]}


async def _hits(opened: Store, limit: int, **asked: Any) -> dict[str, Any]:
    """Return what the search answers, with the hits of as many pages as it takes to have `limit` of them."""
    found = await ask(opened, "memory_context", "search", limit=min(limit, MAX_LIMIT), **asked)
    hits: list[Any] = found["hits"]
    while (cursor := found.get("next_cursor")) and len(hits) < limit:
        most = min(limit - len(hits), MAX_LIMIT)
        found = await ask(opened, "memory_context", "search", limit=most, cursor=cursor, **asked)
        hits = [*hits, *found["hits"]]
    return {**found, "hits": hits}


def _draw(screen: Screen, chosen: Settings, wanted: SearchRequest, found: dict[str, Any]) -> None:
    if not found["hits"]:
        screen.line("Nothing is found.", *([" --all looks into all workspaces."] if found["scope"] != "all" else []))
        return
    if meant := found.get("did_you_mean"):
        screen.line("Nothing has these words. This is what has: ", Styled(str(meant)))
    for hit in found["hits"]:
        _draw_hit(screen, hit)
    rest = _rest(found)
    again = command(chosen, "search", wanted.query, "--limit", str(wanted.limit * 5))
    screen.more(rest, "hits", again)


def _draw_hit(screen: Screen, hit: dict[str, Any]) -> None:
    name = name_of(hit)
    when = screen.when(hit.get("updated_at"))
    snippet = " ".join(str(hit.get("snippet", "")).split())
    if screen.is_plain:
        screen.table(COLUMNS, [(hit["kind"], name, when, hit["title"], snippet)])
        return
    status = f"  {hit['status']}" if hit.get("status") else ""
    screen.line(Styled(hit["kind"], QUIET), "  ", Styled(hit["title"], "bold"), Styled(f"{status}  {when}", QUIET))
    if snippet:
        screen.line(snippet, indent=4)
    screen.line(Styled(name, QUIET), indent=4)


def name_of(hit: dict[str, Any]) -> str:
    """Return by what `show` finds a hit; for what has no id of its own, the call that reads it."""
    if hit["kind"] in NAMED:
        call = dict(hit["read"])
        words = ("call", call.pop("tool"), call.pop("action"))
        given = {name: value if isinstance(value, str) else encode(value) for name, value in call.items()}
        return joined(*words, *(f"{name}={value}" for name, value in given.items()))
    return str(hit[ID_NAMES[hit["kind"]]])


def _rest(found: dict[str, Any]) -> int | str:
    total = found["total"]
    return total if isinstance(total, str) else int(total) - len(found["hits"])
