"""The stream of events: complete, in order, and going on where it was broken off."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import pytest

from server.db.access import tokens
from server.db.audit import events
from server.db.storage.connection import Database
from server.models.events import Event, Origin
from server.settings import Settings
from server.store import open_store
from server.upkeep import backups
from server.web import event_stream, following
from tests.served import Served, serve
from tests.waiting import until

PATIENCE = 30


class Reader:
    """A reader of a stream, which knows its last id as a browser does."""

    def __init__(self, answer: httpx2.Response) -> None:
        self.answer = answer
        self.last_id = ""
        self._lines = answer.aiter_lines()

    async def next(self) -> tuple[str, Any]:
        """Return the next event that is dispatched: its name, and its data."""
        name, data = "message", ""
        with anyio.fail_after(PATIENCE):
            async for line in self._lines:
                field, _, value = line.partition(": ")
                if field == "id":
                    self.last_id = value
                elif field == "event":
                    name = value
                elif field == "data":
                    data = value
                elif not line and data:
                    return name, json.loads(data)
        raise EOFError

    async def ids(self, count: int) -> list[int]:
        return [(await self.next())[1]["event_id"] for _ in range(count)]

    async def until_id(self, wanted: int) -> None:
        """Read until the last id is that, of an empty event too."""
        with anyio.fail_after(PATIENCE):
            while self.last_id != str(wanted):
                line = await anext(self._lines)
                if line.startswith("id: "):
                    self.last_id = line[4:]


@asynccontextmanager
async def reading(served: Served, *, last: str | None = None, **query: str) -> AsyncGenerator[Reader]:
    db = await served.site.state.store.open()
    name = f"reader {await db.value('SELECT count(*) FROM tokens')}"
    headers = {"last-event-id": last} if last is not None else {}
    async with (
        served.http(await served.token(name, "reader")) as http,
        http.stream("GET", "/events", params=query, headers=headers) as answer,
    ):
        assert answer.status_code == 200
        yield Reader(answer)


async def log(
    db: Database, count: int = 1, *, type_: str = "plan_updated", plan: str = "plan_a", home: str = "ws_a"
) -> int:
    """Log events in one transaction and return the id of the last."""
    async with db.transaction() as tx:
        tx.origin = Origin("test", "test", None, "writer")
        for _ in range(count):
            events.record(tx, Event(type_, "plan", plan, home, plan))
        await events.flush(tx)
    return await events.last_id(db)


async def test_what_another_process_commits_is_seen(served: Served, settings: Settings) -> None:
    other = await open_store(settings)
    async with reading(served) as reader:
        await reader.until_id(served.site.hub.position)
        last = await log(other, 3)
        found = await reader.ids(3)
    await other.close()

    assert found == [last - 2, last - 1, last]


async def test_an_event_is_one_line_to_readers_who_know_more_ends_of_lines(served: Served) -> None:
    name = "a\u2028b\u2029c\u0085d\x0be\x1cf"
    async with reading(served) as reader:
        await reader.until_id(served.site.hub.position)
        await log(await served.site.state.store.open(), plan=name)
        _, told = await reader.next()

    assert told["plan_id"] == name


async def test_who_comes_back_gets_what_was_missed_across_a_restart(settings: Settings) -> None:
    async with serve(settings) as first:
        db = await first.site.state.store.open()
        start = await log(db)
        async with reading(first, last=str(start)) as reader:
            await log(db, 2)
            had = await reader.ids(2)
    other = await open_store(settings)
    last = await log(other, 5)
    await other.close()
    async with serve(settings) as second, reading(second, last=str(had[-1])) as reader:
        missed = await reader.ids(5)
        newer = await log(await second.site.state.store.open())
        live = await reader.ids(1)

    assert had == [start + 1, start + 2]
    assert missed == list(range(start + 3, last + 1))
    assert live == [newer]


async def test_nothing_falls_between_the_log_and_what_is_live(served: Served) -> None:
    db = await served.site.state.store.open()
    start = await log(db)
    total = event_stream.PAGE * 2 + 100

    async def write() -> None:
        for _ in range(total // 20):
            await log(db, 20)

    writing = asyncio.create_task(write())
    readers = []
    for _ in range(3):
        async with reading(served, last=str(start)) as reader:
            readers.append(await reader.ids(total))
    await writing

    assert readers == [list(range(start + 1, start + 1 + total))] * 3


async def test_a_filtered_reader_gets_its_own_and_is_moved_on(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "BEAT_SECONDS", 0.05)
    db = await served.site.state.store.open()
    before = await log(db)
    async with (
        reading(served, last=str(before), workspace="ws_b") as of_workspace,
        reading(served, last=str(before), plan="plan_b") as of_plan,
        reading(served, last=str(before), types="plan_archived") as of_type,
        reading(served, last=str(before), types="phase") as of_entity,
    ):
        first = await log(db, home="ws_b", plan="plan_c")
        second = await log(db, plan="plan_b")
        third = await log(db, type_="plan_archived")
        last = await log(db, 5)
        found = [await one.ids(1) for one in (of_workspace, of_plan, of_type)]
        for one in (of_workspace, of_plan, of_type, of_entity):
            await one.until_id(last)

    assert found == [[first], [second], [third]]


async def test_who_asks_for_what_was_trimmed_is_told_to_begin_anew(served: Served) -> None:
    db = await served.site.state.store.open()
    newest = await log(db, 10)
    async with db.transaction() as tx:
        await tx.run(
            """
            INSERT INTO trimmed_logs (table_name, of_workspace, newest_id, trimmed_at)
            VALUES ('event_log', 'ws_a', :id, :now)
            """,
            {"id": newest - 4, "now": tx.now()},
        )
    async with reading(served, last=str(newest - 6)) as late, reading(served, last=str(newest - 3)) as fresh:
        told = await late.next()
        after = await fresh.ids(3)
    async with reading(served, last=str(newest - 6), workspace="ws_b") as other:
        next_ = await log(db, home="ws_b")
        unconcerned = await other.ids(1)

    assert told == ("reset", {"newest": newest})
    assert late.last_id == str(newest)
    assert after == [newest - 2, newest - 1, newest]
    assert unconcerned == [next_]


async def test_a_stream_ends_when_its_token_is_revoked(served: Served) -> None:
    db = await served.site.state.store.open()
    last = await log(db)
    async with reading(served, last=str(last)) as reader:
        await log(db)
        had = await reader.ids(1)
        async with db.transaction() as tx:
            for token in await tokens.all_(tx):
                await tokens.revoke(tx, token.name)
        with pytest.raises(EOFError):
            await reader.next()

    assert had == [last + 1]


async def test_a_stream_ends_when_its_browser_leaves_and_others_go_on(served: Served) -> None:
    leaves, stays = await served.owner(), await served.owner()
    async with leaves.stream("GET", "/events") as answer, stays.stream("GET", "/events") as other:
        lines, its = answer.aiter_lines(), other.aiter_lines()
        db = await served.site.state.store.open()
        first = await log(db)
        for one in (lines, its):
            assert await anext(line async for line in one if line == f"id: {first}")
            assert (await anext(one)).startswith("data")
        await leaves.post("/leave")
        last = await log(db)
        with anyio.fail_after(PATIENCE):
            assert [line async for line in lines if line.startswith("data")] == []
            assert await anext(line async for line in its if line == f"id: {last}")


async def test_a_browser_that_is_in_no_more_is_looked_for_now_and_then(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "BEAT_SECONDS", 0.05)
    browser = await served.owner()
    db = await served.site.state.store.open()
    async with browser.stream("GET", "/events") as answer:
        lines = answer.aiter_lines()
        await anext(lines)
        async with db.transaction() as tx:
            await tx.run("UPDATE web_sessions SET expires_at = :now", {"now": tx.now()})
        with anyio.fail_after(PATIENCE):
            assert [line async for line in lines if line.startswith("data")] == []


WAIT = "followers wait"


async def test_a_stream_ends_while_the_database_is_away_and_goes_on_when_it_is_back(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(event_stream, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(following, "RETRY_SECONDS", 0.001)
    monkeypatch.setattr(following, "QUIET_SECONDS", 0.01)
    store = served.site.state.store
    path = store.settings.database
    before = await log(await store.open())
    token = await served.token()
    async with reading(served, last=str(before)) as reader:
        path.rename(path.with_suffix(".away"))
        with pytest.raises(EOFError):
            await reader.next()
        async with served.http(token) as http:
            await until(lambda: any(told.startswith(WAIT) for told in caplog.messages))
            for _ in range(20):
                assert (await http.get("/events")).status_code == 503
            assert (await http.get("/events", headers={"accept": "text/html"})).text.startswith("<!doctype html>")
        path.with_suffix(".away").rename(path)
    async with reading(served, last=str(before)) as reader:
        after = await log(await store.open())
        assert await reader.ids(1) == [after]

    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    assert len([told for told in caplog.messages if told.startswith(WAIT)]) == 1


async def test_an_id_of_another_database_begins_anew(served: Served) -> None:
    newest = await log(await served.site.state.store.open())
    async with reading(served, last=str(newest + 1000)) as reader:
        assert await reader.next() == ("reset", {"newest": newest})


async def test_a_reader_that_is_too_slow_is_cut_off_and_told(served: Served) -> None:
    served.site.hub.most_waiting = 5
    db = await served.site.state.store.open()
    async with reading(served) as reader:
        await reader.until_id(served.site.hub.position)
        last = await log(db, 20)
        told = await reader.next()
        with pytest.raises(EOFError):
            await reader.next()
    async with reading(served, last=str(last)) as again:
        await again.until_id(last)

    assert told == ("reset", {"newest": last})


async def test_a_stream_ends_with_the_server_and_is_told_when_to_come_back(settings: Settings) -> None:
    async with serve(settings) as served, reading(served) as reader:
        first = await anext(reader._lines)
        served.site.end()
        with pytest.raises(EOFError):
            await reader.next()

    assert first == f"retry: {event_stream.RETRY_MS}"


@pytest.mark.parametrize(
    "query", [{"types": "nothing"}, {"since_id": "x"}, {"since_id": "-1"}, {"since_id": "9" * 30}], ids=str
)
async def test_what_cannot_be_followed_is_told(served: Served, query: dict[str, str]) -> None:
    async with served.http(await served.token()) as http:
        assert (await http.get("/events", params=query)).status_code == 400
        assert (await http.get("/events", params={}, headers={"authorization": "Bearer no"})).status_code == 401


async def test_who_asks_for_the_head_alone_is_not_kept_waiting(served: Served) -> None:
    async with served.http(await served.token()) as http:
        with anyio.fail_after(PATIENCE):
            answer = await http.head("/events")
            after = await http.get("/health")

    assert (answer.status_code, after.status_code) == (200, 200)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert served.site.hub.followers == 0


async def test_who_goes_is_followed_no_more(served: Served) -> None:
    async with reading(served) as reader:
        await reader.until_id(served.site.hub.position)
        during = served.site.hub.followers
    with anyio.fail_after(PATIENCE):
        while served.site.hub.followers:
            await anyio.lowlevel.checkpoint()

    assert during == 1


async def test_the_owner_follows_by_the_cookie(served: Served) -> None:
    browser = await served.owner()
    async with browser.stream("GET", "/events") as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")


async def test_the_figures_say_what_was_called_and_what_is_there(served: Served) -> None:
    async with served.http(await served.token()) as http:
        await http.post("/api/tools/memory_workspace/list", json={})
        await http.post("/api/tools/memory_plan/get", json={"plan_id": "plan_1rqewqexykb7"})
        await http.post("/api/tools/memory_plan/no_such", json={})
        await backups.make(await served.site.state.store.open())
        text = (await http.get("/metrics")).text
        refused = await http.get("/metrics", headers={"authorization": "Bearer no"})
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))

    assert values['project_memory_call_seconds_count{tool="memory_workspace",action="list"}'] == "1"
    assert values['project_memory_call_seconds_bucket{tool="memory_plan",action="get",le="+Inf"}'] == "1"
    assert values['project_memory_errors_total{code="not_found"}'] == "1"
    assert int(values["project_memory_database_bytes"]) > 0
    assert "such" not in text
    described = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert "project_memory_last_backup_seconds" in described
    assert len(described) == len(set(described))  # what is described twice is not read at all
    assert refused.status_code == 401
