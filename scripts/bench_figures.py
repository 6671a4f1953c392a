"""What the benches measure, and how it is told; part of `bench.py`."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

HEAD = f"{'':44}{'median':>10} {'':10}{'p90/p99':>10}{'floor':>10}{'ratio':>9}  bar"
DIGITS = {"ms": 2, "MiB": 2, "s": 2, "x": 2, "%": 1, "score": 3}


@dataclass(frozen=True)
class Figure:
    """One measured value; `judged` is what the bar is for: its ratio to `floor`, or with a `ratio` besides it a value.

    `details` are lines of text that explain it.
    """

    name: str
    unit: str
    value: float
    high: float | None = None  # p90 of starts, p99 of calls
    floor: float | None = None
    judged: float | None = None
    bar: float | None = None
    at_least: bool = False
    ratio: float | None = None
    details: Sequence[str] = ()

    @property
    def met(self) -> bool | None:
        if self.bar is None or self.judged is None:
            return None
        return self.judged >= self.bar if self.at_least else self.judged <= self.bar


def line_of(figure: Figure) -> str:
    high = f"{figure.high:10.2f}" if figure.high is not None else " " * 10
    floor = f"{figure.floor:10.2f}" if figure.floor is not None else " " * 10
    times = figure.judged if figure.ratio is None else figure.ratio
    ratio = f"{times:8.2f}x" if figure.floor is not None and times is not None else " " * 9
    bar = (
        f"{'>=' if figure.at_least else '<='} {figure.bar:g}  {'ok' if figure.met else 'over'}"
        if figure.bar is not None
        else ""
    )
    digits = DIGITS.get(figure.unit, 0)
    return f"{figure.name:44}{figure.value:10.{digits}f} {figure.unit:10}{high}{floor}{ratio}  {bar}".rstrip()


def bytes_of(value: object) -> int:
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())


def sized(name: str, unit: str, value: int, bar: int | None = None) -> Figure:
    return Figure(name, unit, value, judged=None if bar is None else value, bar=bar)


def timed(
    name: str,
    seconds: Sequence[float],
    high: float,
    *,
    floor: float | None = None,
    judged: float | None = None,
    bar: float | None = None,
) -> Figure:
    ordered = sorted(seconds)
    top = ordered[min(int(len(ordered) * high), len(ordered) - 1)] * 1000
    return Figure(
        name, "ms", statistics.median(ordered) * 1000, top, None if floor is None else floor * 1000, judged, bar
    )
