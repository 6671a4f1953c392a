"""Series of figures as small lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDE, HIGH = 160, 36
MOST = 12  # series that are drawn


@dataclass(frozen=True)
class Series:
    """One series: where its line goes, and its last figure."""

    name: str
    points: str
    last: float
    least: float
    most: float
    unit: str
    first_bucket: str
    last_bucket: str


def drawn(days: Sequence[Mapping[str, Any]]) -> list[Series]:
    """Return the series that summaries of days, newest first, are of."""
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for day in reversed(days):
        if "last" in day:
            found.setdefault((day["name"], day.get("category", "")), []).append(day)
    return [_series(name, category, of) for (name, category), of in sorted(found.items())[:MOST]]


def _series(name: str, category: str, days: Sequence[Mapping[str, Any]]) -> Series:
    values = [float(day["last"]) for day in days]
    least, most = min(values), max(values)
    span = (most - least) or 1.0
    step = WIDE / max(len(values) - 1, 1)
    line = " ".join(
        f"{place * step:.1f},{HIGH - (value - least) / span * HIGH:.1f}" for place, value in enumerate(values)
    )
    label = f"{category}: {name}" if category else name
    unit = str(days[-1].get("unit", ""))
    return Series(label, line, values[-1], least, most, unit, str(days[0]["bucket"]), str(days[-1]["bucket"]))
