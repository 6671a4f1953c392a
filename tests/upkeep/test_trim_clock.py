"""A server that trims by itself does not believe a clock that jumped."""

import pytest

from server.upkeep import trimming
from tests.upkeep.test_trim import ClockedStore, clocked, home, plan_of

__all__ = ["clocked", "home"]
YEARS = 3_650


async def trashed(store: ClockedStore) -> int:
    return await (await store.open()).value("SELECT count(*) FROM trash")


async def in_turn(store: ClockedStore) -> dict[str, int] | None:
    done = await trimming.trim_in_turn(await store.open(), store.settings)
    return done.rows if done else None


async def something_in_the_trash(store: ClockedStore, home: str) -> None:
    plan = await plan_of(store, home, "Gone")
    await store.call("memory_plan", "delete", plan_id=plan["plan_id"], confirm=True, agent="tester")


async def test_a_clock_that_jumps_by_years_removes_nothing_and_work_goes_on_when_it_is_right_again(
    clocked: ClockedStore, home: str
) -> None:
    assert await in_turn(clocked) == {}
    await something_in_the_trash(clocked, home)
    clocked.later(1)
    assert await in_turn(clocked) == {}

    clocked.later(YEARS)
    assert await in_turn(clocked) is None
    clocked.later(1.1)
    assert await in_turn(clocked) is None
    assert await trashed(clocked) == 1

    clocked.later(-YEARS)
    assert await trimming.is_due(await clocked.open())
    for _ in range(3):
        assert await in_turn(clocked) is None
        clocked.later(1.1)
    assert await in_turn(clocked) is not None
    assert await trashed(clocked) == 1
    for _ in range(31):
        clocked.later(1.1)
        await in_turn(clocked)
    assert await trashed(clocked) == 0


async def test_after_weeks_without_a_server_what_is_old_goes_some_days_later(clocked: ClockedStore, home: str) -> None:
    await in_turn(clocked)
    await something_in_the_trash(clocked, home)
    clocked.later(60)

    looked: list[int] = []
    for _ in range(4):
        await in_turn(clocked)
        looked.append(await trashed(clocked))
        clocked.later(1.1)

    assert looked == [1, 1, 1, 0]


@pytest.mark.parametrize("days", [2, 13])
async def test_some_days_without_a_server_change_nothing(clocked: ClockedStore, home: str, days: int) -> None:
    await in_turn(clocked)
    clocked.later(days)

    assert await in_turn(clocked) is not None


async def test_a_person_who_trims_is_believed(clocked: ClockedStore, home: str) -> None:
    await in_turn(clocked)
    await something_in_the_trash(clocked, home)
    clocked.later(YEARS)

    assert (await clocked.trim())["trash"] == 1
