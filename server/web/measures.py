"""What a server counts of the calls that come over HTTP."""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from server.tools import TOOLS

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass
class Histogram:
    """How long calls took: how many ended within each bound, and all together."""

    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds


@dataclass
class Measures:
    """Calls by tool and action, and errors by code. Only names that exist are counted, so that it stays small."""

    calls: dict[tuple[str, str], Histogram] = field(default_factory=dict[tuple[str, str], Histogram])
    errors: Counter[str] = field(default_factory=Counter[str])

    def called(self, tool: str, action: object, seconds: float, code: str) -> None:
        if not isinstance(action, str) or tool not in TOOLS or action not in TOOLS[tool].actions:
            return
        self.calls.setdefault((tool, action), Histogram()).add(seconds)
        if code:
            self.errors[code] += 1
