"""Long values are worked on beside the loop: what is short is answered before them."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import pytest_asyncio

from server import calls
from server.errors import InvalidArguments
from server.settings import Settings
from server.store import Store
from server.tools import TOOLS
from server.waiting import LONG

LEDGER = "memory_ledger"
PROSE = "mysql --user me and token=$X " * 20_000
MANY = {"cells": [{"name": f"cell {n}", "value": n} for n in range(LONG)]}
TOLD: dict[str, dict[str, Any]] = {
    "a long result": {"action": "log_call", "tool": "x", "args": {}, "result": PROSE},
    "a long error": {"action": "log_call", "tool": "x", "args": {}, "error": PROSE},
    "arguments of many values": {"action": "log_call", "tool": "x", "args": MANY},
    "many calls": {"action": "log_calls", "calls": [{"tool": "x", "args": {"text": PROSE}}] * 2},
    "a long rationale": {"action": "decide", "decision_type": "design", "decision": "a", "rationale": PROSE},
}


@pytest_asyncio.fixture
async def store(settings: Settings) -> AsyncGenerator[Store]:
    store = Store(settings)
    yield store
    await store.close()


@contextmanager
def functions_on_the_loop() -> Generator[list[str]]:
    """Note which functions of the redaction are called on this thread."""
    seen: list[str] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and "redaction" in code.co_filename and any(_is_long(v) for v in frame.f_locals.values()):
            seen.append(code.co_name)

    sys.setprofile(note)
    try:
        yield seen
    finally:
        sys.setprofile(None)


def _is_long(value: object) -> bool:
    return isinstance(value, str | list | dict) and len(value) >= LONG


@pytest.mark.parametrize("arguments", TOLD.values(), ids=TOLD)
async def test_secrets_in_long_texts_are_looked_for_beside_the_loop(
    store: Store, project: Path, arguments: dict[str, Any]
) -> None:
    known = await calls.answer(store, "memory_workspace", {"action": "register", "workspace_path": str(project)})
    with functions_on_the_loop() as seen:
        await calls.answer(store, LEDGER, {**arguments, "workspace_id": known["workspace_id"], "agent": "ada"})

    assert seen == []


async def test_a_short_call_is_answered_before_a_long_one_that_came_first(store: Store) -> None:
    answered: list[str] = []

    async def call(name: str, **arguments: Any) -> None:
        with suppress(InvalidArguments):
            await calls.run(store, TOOLS, LEDGER, arguments)
        answered.append(name)

    await asyncio.gather(
        call("long", action="log_call", args={}, result=PROSE),  # it lacks a tool, so no database is asked
        call("short", action="help"),
    )

    assert answered == ["short", "long"]
