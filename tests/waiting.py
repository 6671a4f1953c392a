"""Waiting for what nothing tells of."""

from collections.abc import Callable

import anyio


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Look again and again, whenever everything else had its turn."""
    with anyio.fail_after(seconds):
        while not condition():
            await anyio.lowlevel.checkpoint()
