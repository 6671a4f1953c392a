"""`log`: what happened, an event a line, and what happens from now on."""

import select
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import anyio

from server.cli.screen import QUIET, Screen, Styled
from server.cli.views import store
from server.cli.views.plan_status import plan_named
from server.db.audit import events
from server.db.search import identities
from server.db.storage.connection import Reader
from server.errors import InvalidArguments
from server.models.events import ENTITIES, TYPES, LoggedEvent, types_of
from server.registry import nearest
from server.settings import Flags, Settings, load_existing

PAUSE = 0.25  # seconds between two looks for what is new
LOOK = 1.0  # between two looks whether somebody still reads
INTERRUPTED = 130
ROWS = 500  # events of one look


@dataclass(frozen=True)
class LogRequest:
    """Which events, and how many of the last ones."""

    everywhere: bool = False
    plan: str | None = None
    kinds: tuple[str, ...] = ()
    limit: int = 30


def run(flags: Flags, wanted: LogRequest, *, follow: bool, as_json: bool) -> int:
    """Print events, and with `follow` those that come, until somebody interrupts it."""
    chosen = load_existing(flags)
    types = _types(wanted.kinds)
    try:
        anyio.run(_print, chosen, wanted, types, follow, as_json)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _types(kinds: Sequence[str]) -> list[str]:
    found = types_of(kinds)
    for name in found:
        if name not in TYPES:
            near = nearest(name, (*TYPES, *ENTITIES))
            mean = f" Did you mean {near!r}?" if near else ""
            raise InvalidArguments(
                f"There is no type of event {name[:80]!r}.{mean} Entities: {', '.join(sorted(ENTITIES))}."
            )
    return found


async def _print(chosen: Settings, wanted: LogRequest, types: list[str], follow: bool, as_json: bool) -> None:
    async with store.reading(chosen) as opened:
        db = await opened.open()
        feed = await _feed(db, chosen, wanted, types)
        screen = Screen()
        mark = await db.version()
        found = await events.last(db, feed, limit=wanted.limit)
        last = max(found[-1].event_id if found else 0, await events.last_id(db) if not wanted.limit else 0)
        await _draw(screen, db, found, as_json=as_json)
        while follow:
            while not await db.wait_for_change(mark, LOOK, pause=PAUSE):
                if _is_left_alone():
                    raise BrokenPipeError
            db = await opened.open()
            mark = await db.version()
            while found := await events.after(db, feed, last, limit=ROWS):
                await _draw(screen, db, found, as_json=as_json)
                last = found[-1].event_id


def _is_left_alone() -> bool:
    """Return whether what is printed goes into a pipe that nobody reads any more."""
    if sys.platform == "win32":
        return False
    looking = select.poll()
    looking.register(sys.stdout, 0)  # what went wrong is told unasked
    return bool(looking.poll(0))


async def _feed(db: Reader, chosen: Settings, wanted: LogRequest, types: list[str]) -> events.Feed:
    if wanted.plan:
        return events.Feed(plan_id=await plan_named(db, wanted.plan), types=types)
    here = await store.scope(db, chosen, everywhere=wanted.everywhere)
    return events.Feed(workspace_id=here[0].workspace_id if len(here) == 1 else None, types=types)


async def _draw(screen: Screen, db: Reader, found: Sequence[LoggedEvent], *, as_json: bool) -> None:
    labels = await identities.labels(db, {(event.entity_type, event.entity_id) for event in found})
    for event in found:
        if as_json:
            screen.json(event.model_dump(exclude_none=True))
        else:
            _draw_one(screen, event, labels.get((event.entity_type, event.entity_id), ""))
    sys.stdout.flush()


def _draw_one(screen: Screen, event: LoggedEvent, label: str) -> None:
    who = event.agent or event.session_id or "-"
    if screen.is_plain:
        screen.table((), [(event.timestamp, str(event.event_id), who, event.type, event.entity_id, label)])
        return
    start = (Styled(_clock(screen, event.timestamp), QUIET), f"  {who}  ", Styled(f"{_words(event.type)}  ", "bold"))
    rest = f"{label}  ({event.entity_id})" if label else event.entity_id
    screen.line(*start, screen.cut(rest, screen.room(*start)))


def _words(name: str) -> str:
    return name.replace("_", " ")


def _clock(screen: Screen, moment: str) -> str:
    """Return the time of the day here, with the date if that is another one."""
    try:
        then, now = datetime.fromisoformat(moment).astimezone(), screen.now.astimezone()
    except ValueError:
        return moment
    return then.strftime("%H:%M:%S" if then.date() == now.date() else "%Y-%m-%d %H:%M:%S")
