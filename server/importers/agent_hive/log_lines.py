"""Lines of a log in the six grammars that the agents of a hive wrote, mixed in one file, and what is in none."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from server.importers.reading import UNWANTED, Note, UnreadableFile, parse

Grammar = Literal["json", "columns", "dashed", "named", "bracketed", "bare", "print"]

TIME = r"(?P<time>\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[,.]\d{1,6})?(?:Z|[+-]\d\d:?\d\d)?)"
LEVEL = r"(?P<level>DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL|FATAL)"
# The order counts: a line of a narrower grammar fits the wider ones below it too.
HEADS: tuple[tuple[Grammar, re.Pattern[str]], ...] = (
    ("columns", re.compile(rf"{TIME} {LEVEL} +(?P<logger>\S+) +(?:\[(?P<ids>[^\]]*=[^\]]*)\] +)?(?P<message>.*)")),
    ("bracketed", re.compile(rf"{TIME} \[{LEVEL}\] (?P<logger>[^:\s][^:]*): (?P<message>.*)")),
    ("dashed", re.compile(rf"{TIME} - {LEVEL} - (?P<message>.*)")),
    ("named", re.compile(rf"{TIME} - (?P<logger>\S+) - {LEVEL} - (?P<message>.*)")),
    ("bare", re.compile(rf"{TIME} - (?P<message>.*)")),
)
CONTINUED = re.compile(
    r"[ \t]|Traceback \(most recent call last\):|[)\]}]+,?$|During handling of the above|The above exception was the"
)
SEVERITIES = {
    "debug": "debug", "info": "info", "warn": "warning", "warning": "warning", "error": "error",
    "critical": "critical", "fatal": "critical",
}  # fmt: skip
MARKS = ("timestamp", "level", "message", "logger")  # of which a line of JSON has one, if it is of a log
IDS = {"corr": "correlation_id", "task": "task_id", "agent": "agent_id"}
LONGEST = 64 * 1024  # characters of one entry; what goes on is the next one
Fault = tuple[int, str]  # the number of a line, and what is wrong with it


@dataclass
class LogEntry:
    """One entry. `time` is as it was written. `fields` is what else it says: of a line of JSON all of it."""

    line: int
    grammar: Grammar
    message: str
    time: str | None = None
    level: str | None = None
    logger: str | None = None
    fields: dict[str, Any] = field(default_factory=dict[str, Any])
    lines: int = 1
    raising: bool = False  # its last lines are a traceback, whose end is not indented

    @property
    def severity(self) -> str | None:
        return SEVERITIES.get((self.level or "").strip().lower())

    def take(self, line: str) -> None:
        self.message = f"{self.message}\n{line}"
        self.lines += 1
        self.raising = line.lstrip("\n").startswith("Traceback ") or (self.raising and line[:1] in " \t\n")


def entries(found: Iterable[tuple[int, bytes]], faults: list[Fault]) -> Iterator[LogEntry]:
    """Yield what the numbered lines of a log say, one entry after the other; every line that is not blank is in one.

    What is indented, and a traceback, goes on with the entry above. Other lines in none of the grammars were printed:
    those that follow each other are one entry.
    """
    entry: LogEntry | None = None
    blank = 0
    for number, data in found:
        line = data.decode("utf-8", "backslashreplace").rstrip("\r").replace("\0", UNWANTED)
        line = line.removeprefix("\ufeff") if number == 1 else line
        if not line.strip():
            blank += 1
            continue
        head = _head(number, line, faults)
        if head is None and entry is not None and _goes_on(entry, line, blank):
            entry.take("\n" * blank + line)
        else:
            yield from [entry] if entry else ()
            entry = head or LogEntry(number, "print", line)
        blank = 0
    yield from [entry] if entry else ()


def _goes_on(entry: LogEntry, line: str, blank: int) -> bool:
    if len(entry.message) + len(line) > LONGEST:
        return False
    return bool(entry.raising or CONTINUED.match(line)) or (entry.grammar == "print" and not blank)


def _head(number: int, line: str, faults: list[Fault]) -> LogEntry | None:
    """Return the entry that begins with a line, or None if none does."""
    if line.startswith("{"):
        return _of_json(number, line, faults)
    for grammar, pattern in HEADS if line[:4].isdecimal() else ():
        if match := pattern.fullmatch(line):
            told = match.groupdict()
            ids = dict(_ids(told.get("ids") or ""))
            return LogEntry(number, grammar, told["message"], told["time"], told.get("level"), told.get("logger"), ids)
    return None


def _ids(told: str) -> Iterator[tuple[str, str]]:
    """Yield what `corr=…,task=…,agent=…` says; an empty one says nothing."""
    for part in told.split(","):
        name, _, value = part.strip().partition("=")
        if value:
            yield IDS.get(name, name), value


def _of_json(number: int, line: str, faults: list[Fault]) -> LogEntry | None:
    notes: list[Note] = []
    try:
        found = parse(line, notes)
    except UnreadableFile as error:
        if line.startswith('{"'):
            faults.append((number, f"kept as text: {error}"))
        return None
    if not any(mark in found for mark in MARKS):
        return None
    faults.extend((number, what) for _, what in notes)
    told = {name: found.get(name) for name in ("message", "timestamp", "level", "logger")}
    message, time, level, logger = (value if isinstance(value, str) else None for value in told.values())
    return LogEntry(number, "json", message or "", time, level, logger, found)
