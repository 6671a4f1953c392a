"""Cancels a coroutine at a chosen moment."""

import asyncio
import sqlite3
import types
from collections.abc import Coroutine, Generator
from functools import partial
from typing import Any

import anyio


@types.coroutine
def cancelled(work: Coroutine[Any, Any, None], scope: anyio.CancelScope, wait: int) -> Generator[Any, Any, int]:
    """Run `work`, cancelling `scope` when it waits for the `wait`-th time; return how often it waited."""
    waits, go_on = 0, partial(work.send, None)
    while True:
        try:
            future = go_on()
        except StopIteration:
            return waits
        if waits == wait:
            scope.cancel()
        waits += 1
        try:
            go_on = partial(work.send, (yield future))
        except (sqlite3.Error, asyncio.CancelledError) as error:
            go_on = partial(work.throw, error)
