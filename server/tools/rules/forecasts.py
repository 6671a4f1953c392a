"""How open steps went down, and when the last may be done: by simulation, which always gives the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from math import ceil
from random import Random
from typing import Any

from server.db.plans.step_counts import COUNTS, StepHistory

DAYS_LOOKED_AT = 28
FEWEST_DAYS, FEWEST_FINISHED = 7, 5
RUNS = 400
HORIZON = 366  # days
WEEK = timedelta(days=7)
EARLY, LIKELY, LATE = 0.1, 0.5, 0.9  # of the runs are over by then


@dataclass(frozen=True)
class Burndown:
    """How many steps were open at the end of days and weeks, newest first, and when they may be done."""

    open: int
    before: int
    weeks: list[dict[str, Any]]
    days: list[dict[str, Any]]
    forecast: dict[str, Any]


def burndown(history: StepHistory, today: date, *, weeks: int, seed: str) -> Burndown:
    """Return what happened in the last weeks, which begin on Mondays, and how it may go on."""
    days = _with_open(history)
    since = _monday(today) - (weeks - 1) * WEEK
    shown = [day for day in days if day["day"] >= since.isoformat()]
    before = history.open - sum(map(_net, history.days))
    first = max(since, _monday(date.fromisoformat(days[0]["day"]))) if days else today
    starts = [first + n * WEEK for n in range((today - first).days // 7 + 1)] if days else []
    return Burndown(
        history.open,
        before,
        [_week(start, days, before) for start in reversed(starts)],
        shown[::-1],
        forecast(days, history.open, today, seed=seed),
    )


def _net(day: dict[str, Any]) -> int:
    return day["added"] + day["reopened"] - day["finished"] - day["dropped"]


def _with_open(history: StepHistory) -> list[dict[str, Any]]:
    """Return days with how many steps were open at the end of each, reckoned back from now."""
    left = list(accumulate((-_net(day) for day in reversed(history.days)), initial=history.open))
    return [{"day": day["day"], "open": n, **day} for day, n in zip(history.days, reversed(left[:-1]), strict=True)]


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _week(start: date, days: Sequence[dict[str, Any]], before: int) -> dict[str, Any]:
    until = (start + WEEK).isoformat()
    inside = [day for day in days if start.isoformat() <= day["day"] < until]
    last = next((day["open"] for day in reversed(days) if day["day"] < until), before)
    return {"week": start.isoformat(), "open": last, **{name: sum(day[name] for day in inside) for name in COUNTS}}


def forecast(days: Sequence[dict[str, Any]], still_open: int, today: date, *, seed: str) -> dict[str, Any]:
    """Return the expected end, or why none can be told."""
    if not still_open:
        return {"unknown": "no step is open"}
    pace = _pace(days, today)
    done = sum(pace)
    if len(pace) < FEWEST_DAYS or done < FEWEST_FINISHED:
        return {
            "unknown": f"not enough data: it takes {FEWEST_FINISHED} finished steps in {FEWEST_DAYS} whole days, and "
            f"there are {max(done, 0)} in {len(pace)}"
        }
    told = {"finished_a_week": round(7 * done / len(pace), 1), "from_days": len(pace)}
    if still_open * len(pace) / done > HORIZON:
        return {**told, "unknown": f"more than {HORIZON} days at this pace"}
    ends = _simulated(pace, still_open, Random(f"{seed} {today} {still_open}"))
    named = {"early": EARLY, "likely": LIKELY, "late": LATE}
    return {**told, **{name: _day(today, ends[ceil(share * RUNS) - 1]) for name, share in named.items()}}


def _pace(days: Sequence[dict[str, Any]], today: date) -> list[int]:
    """Return how many steps more were done after each of the last whole days, since something happened at all."""
    if not days:
        return []
    first = max(date.fromisoformat(days[0]["day"]), today - timedelta(days=DAYS_LOOKED_AT))
    done = {day["day"]: day["finished"] - day["reopened"] for day in days}
    return [done.get((first + timedelta(days=n)).isoformat(), 0) for n in range((today - first).days)]


def _simulated(pace: Sequence[int], still_open: int, random: Random) -> list[int]:
    """Return after how many days each run was over, in order: every day goes as one of the last ones did."""
    return sorted(_run(pace, still_open, random) for _ in range(RUNS))


def _run(pace: Sequence[int], still_open: int, random: Random) -> int:
    left, days = still_open, 0
    while left > 0 and days < 2 * HORIZON:
        for done in random.choices(pace, k=DAYS_LOOKED_AT):
            left -= done
            days += 1
            if left <= 0:
                break
    return days


def _day(today: date, days: int) -> str:
    return (today + timedelta(days=days)).isoformat()
