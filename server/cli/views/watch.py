"""`status --watch`: the screen for as long as somebody looks, drawn anew when the store changes."""

import asyncio
import io
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from server.cli.screen import Screen, View
from server.cli.views import store
from server.cli.views.terminal import Terminal
from server.db.storage.connection import Database, Reader
from server.settings import Settings

PAUSE = 0.25  # seconds between two looks at the store
AGES = 60  # seconds after which the times that are shown are no longer true
FOOT = "q leaves"

Look = Callable[[Reader], Awaitable[View]]


async def until_left(chosen: Settings, look: Look) -> int:
    """Show what `look` finds until a key or signal ends it; return the exit code."""
    async with store.reading(chosen) as opened:
        await opened.open()
        with Terminal() as terminal:
            while terminal.exit_code is None:
                db = await opened.open()
                mark = await db.version()
                terminal.show(frame(await look(db), chosen))
                await _change(db, mark, terminal)
            return terminal.exit_code


async def _change(db: Database, mark: int, terminal: Terminal) -> None:
    """Return when the store changed, when somebody pressed a key or the window changed, or after a minute."""
    waits: list[asyncio.Task[Any]] = [
        asyncio.create_task(db.wait_for_change(mark, AGES, pause=PAUSE)),
        asyncio.create_task(terminal.stirred()),
    ]
    done, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for one in pending:
        one.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for one in done:
        one.result()


def frame(found: View, chosen: Settings) -> list[str]:
    """Return the lines that fit on the screen, the last of which says what else there is."""
    width, height = os.get_terminal_size(sys.stdout.fileno())  # and not what the environment says it was once
    stream = io.StringIO()
    found.draw(Screen(stream, width=width), chosen)
    lines = stream.getvalue().splitlines()
    room = max(height - 1, 1)
    hidden = len(lines) - room
    foot = f"{hidden} more lines than fit; {FOOT}" if hidden > 0 else FOOT
    return [*lines[:room], foot[:width]]
