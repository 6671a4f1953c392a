"""How good the answers of the search are, and how long they take; part of `bench.py`.

Weights are tuned on one half of the relevance set and judged by the other. Run by itself, it prints where the first
wanted hit of every query stands.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import search_set
from search_set import Question, Score

from server.calls import offered, run
from server.db.storage.opening import open_database
from server.settings import Settings
from server.store import Store

ROUNDS = 20
OLDEST = 2000  # days; before everything


@dataclass
class Measured:
    """The questions, the ids that answered each, and how many seconds each answer took."""

    questions: Sequence[Question]
    answers: list[list[str]] = field(default_factory=list[list[str]])
    seconds: list[float] = field(default_factory=list[float])

    def halves(self) -> tuple[Score, Score]:
        """Return the score of the half for tuning, and of the one that is reported."""
        pairs = zip(search_set.halves(self.questions), search_set.halves(self.answers), strict=True)
        tuned, reported = (search_set.score(asked, found) for asked, found in pairs)
        return tuned, reported


class Days:
    """A clock that can be set to days ago, and goes on by a millisecond each time it is read."""

    def __init__(self) -> None:
        self._today = datetime.now(UTC)
        self._moment = self._today - timedelta(days=OLDEST)

    def __call__(self) -> datetime:
        self._moment += timedelta(milliseconds=1)
        return self._moment

    def set(self, ago: float) -> None:
        self._moment = self._today - timedelta(days=ago)


@asynccontextmanager
async def stored(folder: Path) -> AsyncGenerator[tuple[search_set.Call, list[Question]]]:
    """A store with the relevance set in it: the call that asks it, and what to ask."""
    days = Days()
    store = Store(Settings(data_root=folder / "data"))
    tools = offered(store.settings)

    async def call(tool: str, action: str, /, **arguments: Any) -> Any:
        return json.loads(await run(store, tools, tool, {"action": action, **arguments}))

    with patch("server.store.open_database", partial(open_database, clock=days)):
        questions = search_set.questions(await search_set.load(call, folder, at=days.set))
    try:
        yield call, questions
    finally:
        await store.close()


async def measure(folder: Path, rounds: int = ROUNDS) -> Measured:
    """Ask everything some times; the answers are those of the first time."""
    async with stored(folder) as (call, questions):
        measured = Measured(questions)
        measured.answers = [await search_set.ask(call, question) for question in questions]
        for _ in range(rounds):
            for question in questions:
                begun = time.perf_counter()
                await search_set.ask(call, question)
                measured.seconds.append(time.perf_counter() - begun)
    return measured


def main() -> None:
    """Print where the first wanted hit of every query stands, and what stands above it."""
    with tempfile.TemporaryDirectory() as folder:
        measured = asyncio.run(measure(Path(folder), rounds=1))
    for number, (question, found) in enumerate(zip(measured.questions, measured.answers, strict=True)):
        rank = next((rank for rank, one in enumerate(found, 1) if one in question.wanted), 0)
        seen = len(question.wanted & set(found[:5]))
        print(f"{'report' if number % 2 else 'tune':7}{rank:3}  {seen}/{len(question.wanted)}  {question.query}")
    for half, told in zip(("tune", "report"), measured.halves(), strict=True):
        print(f"{half:7} MRR {told.mrr:.3f}  recall@5 {told.recall_at_5:.3f}")


if __name__ == "__main__":
    sys.exit(main())
