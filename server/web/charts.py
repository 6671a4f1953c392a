"""Drawings made on the server: plain data in, places out; a template writes them as SVG. No style is set inline."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import Any

WIDE, HIGH = 190, 44  # of a box
APART, BELOW = 60, 16
MARGIN = 10
MOST_BOXES = 400
LANE, SPAN, NAMES = 26, 900, 150  # of a timeline: height of a session, width of the time, width of the names
SHORT_SECONDS = 600  # of a timeline in which minutes tell too little

Edges = Sequence[tuple[str, str]]
Nodes = Sequence[Mapping[str, Any]]  # id, index, name, status, is_over, weight (how much there is to do), href


@dataclass(frozen=True)
class Drawing:
    """A graph with a place for each box and each line."""

    width: int
    height: int
    boxes: list[dict[str, Any]]
    lines: list[dict[str, Any]]
    left_out: int = 0


def graph(nodes: Nodes, edges: Edges) -> Drawing:
    """Lay nodes out in columns, each to the right of what it waits for; those with no line are left out."""
    linked = {end for edge in edges for end in edge}
    all_shown = [node for node in nodes if node["id"] in linked]
    shown = all_shown[:MOST_BOXES]
    ids = {node["id"] for node in shown}
    drawn = [edge for edge in edges if edge[0] in ids and edge[1] in ids]
    depth = _depths(sorted(ids), drawn)
    path = critical(nodes, edges)
    columns: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for node in shown:
        columns[depth[node["id"]]].append(node)
    places = _placed(columns, drawn)
    boxes = [
        {**node, "x": places[node["id"]][0], "y": places[node["id"]][1], "critical": node["id"] in path}
        for node in shown
    ]
    steps = set(pairwise(path))
    lines = [_line(places[a], places[b], (a, b) in steps) for a, b in drawn]
    width = 2 * MARGIN + (max(columns, default=0) + 1) * (WIDE + APART) - APART
    height = 2 * MARGIN + max(map(len, columns.values()), default=0) * (HIGH + BELOW)
    return Drawing(width, height, boxes, lines, len(all_shown) - len(shown))


def _placed(columns: Mapping[int, Nodes], edges: Edges) -> dict[str, tuple[int, int]]:
    """Return the place of each box: in its column at the mean height of what it waits for, as far as there is room."""
    before: dict[str, list[str]] = defaultdict(list)
    for first, then in edges:
        before[then].append(first)
    places: dict[str, tuple[int, int]] = {}
    for column in sorted(columns):
        heights = {
            node["id"]: sum(places[one][1] for one in before[node["id"]] if one in places) / len(before[node["id"]])
            for node in columns[column]
            if before[node["id"]]
        }
        ordered = sorted(columns[column], key=lambda node: (heights.get(node["id"], 0.0), node["index"]))
        for row, node in enumerate(ordered):
            places[node["id"]] = (MARGIN + column * (WIDE + APART), MARGIN + row * (HIGH + BELOW))
    return places


def _line(start: tuple[int, int], end: tuple[int, int], is_critical: bool) -> dict[str, Any]:
    x1, y1 = start[0] + WIDE, start[1] + HIGH // 2
    x2, y2 = end[0], end[1] + HIGH // 2
    bend = max(20, (x2 - x1) // 2)
    return {"d": f"M{x1},{y1} C{x1 + bend},{y1} {x2 - bend},{y2} {x2 - 3},{y2}", "critical": is_critical}


def _depths(ids: Sequence[str], edges: Edges) -> dict[str, int]:
    """Return how many steps stand before each at the longest."""
    before: dict[str, list[str]] = {one: [] for one in ids}
    for first, then in edges:
        before[then].append(first)
    depth: dict[str, int] = {}
    try:
        order = list(TopologicalSorter(before).static_order())
    except CycleError:  # no action lets one arise; an import of old files might
        return dict.fromkeys(ids, 0)
    for one in order:
        depth[one] = max((depth[first] + 1 for first in before[one]), default=0)
    return depth


def critical(nodes: Nodes, edges: Edges) -> list[str]:
    """Return the chain of nodes that are still to be done with the most to do, each waiting for the one before."""
    weight = {node["id"]: node["weight"] for node in nodes if not node["is_over"]}
    before: dict[str, list[str]] = {}
    for first, then in edges:
        if first in weight and then in weight:
            before.setdefault(first, [])
            before.setdefault(then, []).append(first)
    try:
        order = list(TopologicalSorter(before).static_order())
    except CycleError:
        return []
    most: dict[str, int] = {}
    for one in order:
        most[one] = weight[one] + max((most[first] for first in before[one]), default=0)
    if not most:
        return []
    chain = [max(sorted(most), key=lambda one: most[one])]
    while before[chain[-1]]:
        chain.append(max(before[chain[-1]], key=lambda one: most[one]))
    return chain[::-1]


@dataclass(frozen=True)
class Timeline:
    """Sessions as bars, an agent's together, what they held in them, hand-offs between them, and the hours below."""

    height: int
    names: list[dict[str, Any]]
    bars: list[dict[str, Any]]
    held: list[dict[str, Any]]
    handoffs: list[dict[str, Any]]
    crashes: list[dict[str, Any]]
    ticks: list[dict[str, Any]]


@dataclass(frozen=True)
class Hours:
    """Where moments are in a timeline."""

    first: float
    last: float

    def x(self, moment: str) -> float:
        return round(NAMES + (_seconds(moment) - self.first) * SPAN / max(1.0, self.last - self.first), 1)

    def bar(self, since: str, until: str) -> dict[str, float]:
        start = max(float(NAMES), self.x(since))
        return {"x": start, "w": max(3.0, round(min(self.x(until), NAMES + SPAN) - start, 1))}


def timeline(found: Mapping[str, Any]) -> Timeline | None:
    """Lay out what the action `timeline` answers, from the first start to now; None if nobody worked."""
    sessions = sorted(found.get("sessions", ()), key=lambda one: (one["agent"], one["started_at"]))
    held: Sequence[Mapping[str, Any]] = found.get("held", ())
    if not sessions:
        return None
    now = found["now"]
    hours = Hours(min(_seconds(one["started_at"]) for one in sessions), _seconds(now))
    others = sorted({one["agent"] for one in held} - {one["agent"] for one in sessions})
    lanes = {agent: len(sessions) + row for row, agent in enumerate(others)}
    lanes |= {one[name]: row for name in ("agent", "session_id") for row, one in enumerate(sessions)}
    bars = [
        {**one, **hours.bar(one["started_at"], one.get("until") or now), "y": row * LANE + 4}
        for row, one in enumerate(sessions)
    ]
    claims = [
        {**one, **hours.bar(one["since"], one.get("until") or now), "y": _lane(lanes, one) * LANE + 14} for one in held
    ]
    return Timeline(
        (len(sessions) + len(others)) * LANE + 30,
        _names([*(one["agent"] for one in sessions), *others]),
        bars,
        claims,
        [_arrow(one, sessions, hours) for one in found.get("handoffs", ())],
        [{"x": bar["x"] + bar["w"], "y": bar["y"] + 13} for bar in bars if bar["status"] == "orphaned"],
        _hours(hours),
    )


def _names(rows: Sequence[str]) -> list[dict[str, Any]]:
    """Return what stands before rows: the name of an agent once, before its first session."""
    return [{"y": row * LANE + 18, "name": name} for row, name in enumerate(rows) if row == 0 or rows[row - 1] != name]


def _hours(hours: Hours) -> list[dict[str, Any]]:
    span = hours.last - hours.first
    shape = "%H:%M:%S" if span < SHORT_SECONDS else "%d %b %H:%M"
    parts = [(part, datetime.fromtimestamp(hours.first + span * part / 4).astimezone()) for part in range(5)]
    return [{"x": NAMES + SPAN * part // 4, "at": at.strftime(shape)} for part, at in parts]


def _lane(lanes: Mapping[str, int], one: Mapping[str, Any]) -> int:
    return lanes[one["holder"] if one["holder"] in lanes else one["agent"]]


def _arrow(one: Mapping[str, Any], sessions: Sequence[Mapping[str, Any]], hours: Hours) -> dict[str, Any]:
    """Return the line of a hand-off: from the last session of one agent by then to the first of the other from then."""
    at = one["created_at"]
    given = [row for row, s in enumerate(sessions) if s["agent"] == one["from_agent"] and s["started_at"] <= at]
    taken = [row for row, s in enumerate(sessions) if s["agent"] == one["to_agent"]]
    later = [row for row in taken if (sessions[row].get("until") or at) >= at]
    start, end = (given or taken or [0])[-1], (later or taken or given or [0])[0]
    y1, y2 = start * LANE + 13, end * LANE + 13
    return {**one, "x": hours.x(at), "d": f"M{hours.x(at)},{y1} V{y2}", "y": y2, "is_alone": y1 == y2}


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


BURN_WIDE, BURN_HIGH = 360, 190
LEFT, RIGHT, TOP, BOTTOM = 34, 10, 14, 26  # around the field of a burndown
MOST_AHEAD = 1  # as much time is shown of what may come as of what was, at most


@dataclass(frozen=True)
class Burn:
    """Open steps along the time: the line of what was, marks where the scope changed, and where it may end."""

    line: str
    marks: list[dict[str, Any]]
    rays: list[dict[str, Any]]
    days: list[dict[str, Any]]
    levels: list[dict[str, Any]]
    today: float
    width: int = BURN_WIDE
    height: int = BURN_HIGH


@dataclass(frozen=True)
class BurnField:
    """Where days and numbers are in a drawing: `days` from the first one on, numbers up to `top`."""

    first: date
    days: int
    top: int

    def x(self, day: date) -> float:
        return round(LEFT + (BURN_WIDE - LEFT - RIGHT) * (day - self.first).days / self.days, 1)

    def y(self, number: float) -> float:
        return round(TOP + (BURN_HIGH - TOP - BOTTOM) * (1 - number / self.top), 1)


def burn(found: Mapping[str, Any], today: str) -> Burn | None:
    """Draw what the action `burndown` answers; None if all of it happened on one day."""
    days = list(reversed(found.get("days", ())))
    if not days or days[0]["day"] >= today:
        return None
    first, now = date.fromisoformat(days[0]["day"]), date.fromisoformat(today)
    ends = {
        name: date.fromisoformat(found["forecast"][name])
        for name in ("early", "likely", "late")
        if name in found["forecast"]
    }
    ahead = min(max(((end - now).days for end in ends.values()), default=0), (now - first).days * MOST_AHEAD)
    start = days[0]["open"] - days[0]["added"] - days[0]["reopened"] + days[0]["finished"] + days[0]["dropped"]
    field = BurnField(first, (now - first).days + ahead, max(1, start, *(day["open"] for day in days)))
    places = [{**day, "x": field.x(date.fromisoformat(day["day"])), "y": field.y(day["open"])} for day in days]
    path = [f"M{LEFT},{field.y(start)}", *(f"H{one['x']}V{one['y']}" for one in places), f"H{field.x(now)}"]
    ticks = [first + timedelta(days=field.days * part // 2) for part in range(3)]
    return Burn(
        "".join(path),
        [one for one in places[1:] if one["added"] or one["dropped"]],
        [{"name": name, **_ray(field, now, end, ahead, found["open"])} for name, end in ends.items()],
        [{"x": field.x(day), "day": day.isoformat()} for day in dict.fromkeys(ticks)],
        [{"y": field.y(number), "number": number} for number in dict.fromkeys((0, field.top // 2, field.top))],
        field.x(now),
    )


def _ray(field: BurnField, now: date, end: date, ahead: int, still_open: int) -> dict[str, Any]:
    """Return the line from now to an end, cut where the drawing is."""
    days = (end - now).days
    seen = min(ahead, days)
    left = still_open * (1 - seen / max(1, days))
    path = f"M{field.x(now)},{field.y(still_open)} L{field.x(now + timedelta(days=seen))},{field.y(left)}"
    return {"d": path, "is_cut": seen < days}
