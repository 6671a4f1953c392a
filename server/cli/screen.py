"""What commands print: tables, bars and relative times on a terminal; plain lines with stable columns in a pipe.

Every text goes through `shown`, whoever wrote it, and none is read as markup. In a pipe a row is a line, its cells
whole and divided by tabs, a time is the one that was stored, and there are no bars and no colours. Styles only stress
what words say already; NO_COLOR takes all of them away.
"""

import os
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Protocol, TextIO

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from server.models.base import encode
from server.settings import Settings
from server.text.display import shown

HEADING, ATTENTION, TROUBLE, QUIET = "bold", "yellow", "bold red", "dim"
GAP = 2
LEAST = 16  # cells that are worth giving a column whose texts are cut
BAR = 10
UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))


@dataclass(frozen=True)
class Styled:
    """A text that is stressed where styles are shown."""

    text: str
    style: str = ATTENTION


Cell = str | Styled


class View(Protocol):
    """Something that was read, for people and for programs."""

    def draw(self, screen: "Screen", chosen: Settings) -> None: ...
    def told(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Column:
    """A column of a table. A wide one has what room the others leave, and its texts are cut to it.

    One that is above has each of its texts once, over the rows that share it; in a pipe it is a column like others.
    """

    title: str
    is_wide: bool = False
    is_number: bool = False
    is_above: bool = False


class Screen:
    """Where a command prints: stdout, or another stream, which may stand for a terminal of some width."""

    def __init__(self, stream: TextIO | None = None, *, width: int | None = None) -> None:
        self.console = Console(
            file=stream or sys.stdout,
            width=width,
            force_terminal=True if width else None,
            color_system=None if os.environ.get("NO_COLOR") else "auto",
            markup=False,
            highlight=False,
            emoji=False,
        )
        is_ascii = self.console.options.ascii_only
        self._full, self._empty, self._dots = ("#", ".", "...") if is_ascii else ("█", "░", "…")
        self._is_fixed = width is not None
        self._has_begun = False

    @property
    def is_plain(self) -> bool:
        return not self.console.is_terminal

    @cached_property
    def now(self) -> datetime:
        """The time that everything printed here is compared with."""
        return datetime.now(UTC)

    def line(self, *cells: Cell, indent: int = 0) -> None:
        """Print texts in a row, on as many lines as they take; in a pipe, on one."""
        self._has_begun = True
        if self.is_plain:
            self._write(" " * indent + "".join(map(plain, cells)))
        elif indent:
            self.console.print(Padding(_joined(cells), (0, 0, 0, indent), expand=False), overflow="fold")
        else:
            self.console.print(_joined(cells), overflow="fold")

    def unbroken(self, *cells: Cell, indent: int = 0) -> None:
        """Print texts in a row that the terminal alone may wrap, so that a command in it can be copied.

        On a screen of fixed width, which is drawn over and over, they are wrapped like others.
        """
        if self.is_plain or self._is_fixed:
            self.line(*cells, indent=indent)
        else:
            self.console.print(Text(" " * indent) + _joined(cells), soft_wrap=True)

    def heading(self, text: str, *rest: Cell, style: str = HEADING) -> None:
        """Print the first line of a part, below an empty one."""
        if self._has_begun:
            self._write("")
        self.line(Styled(text, style), *rest)

    def block(self, text: str, indent: int = 2) -> None:
        """Print a long text with its own lines."""
        for said in text.splitlines():
            self.line(said.expandtabs(4), indent=indent)

    def facts(self, pairs: Iterable[tuple[str, Cell]], indent: int = 0) -> None:
        """Print names and values, a pair a line."""
        told = [(name, value) for name, value in pairs if plain(value)]
        if self.is_plain:
            for name, value in told:
                self._write(f"{shown(name)}\t{plain(value)}")
            return
        longest = max((cell_len(shown(name)) for name, _ in told), default=0)
        if longest + GAP + LEAST > self.console.width - indent:
            for name, value in told:
                self.line(f"{name}: ", value, indent=indent)
            return
        grid = Table.grid(padding=(0, GAP, 0, 0))
        grid.add_column(style=QUIET, width=longest)
        grid.add_column(overflow="fold")
        for name, value in told:
            grid.add_row(Text(shown(name)), _rich(value))
        self._print(grid, indent)

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[Cell]], indent: int = 0) -> None:
        """Print rows, if there are any. Where they do not fit beside each other, the wide texts go below the others."""
        found = [list(row) for row in rows]
        if self.is_plain:
            for row in found:
                self._write("\t".join(map(plain, row)))
        elif found:
            self._table(columns, found, indent)

    def _table(self, columns: Sequence[Column], rows: list[list[Cell]], indent: int) -> None:
        kept = [place for place in range(len(columns)) if any(plain(row[place]) for row in rows)]
        columns, rows = [columns[place] for place in kept], [[row[place] for place in kept] for row in rows]
        above = next((place for place, column in enumerate(columns) if column.is_above), None)
        if above is None:
            self._rows(columns, _widths(columns, rows, self.console.width - indent), rows, indent)
            return
        groups: dict[str, list[list[Cell]]] = {}
        for row in rows:
            groups.setdefault(plain(row.pop(above)), []).append(row)
        columns = [column for column in columns if not column.is_above]
        widths = _widths(columns, rows, self.console.width - indent - GAP)
        if widths:
            self._print(_grid(columns, widths), indent + GAP)
        for title, shared in groups.items():
            self.line(self.cut(title, self.console.width - indent), indent=indent)
            self._rows(columns, widths, shared, indent + GAP, has_titles=False)

    def _rows(
        self,
        columns: Sequence[Column],
        widths: Sequence[int] | None,
        rows: Sequence[Sequence[Cell]],
        indent: int,
        *,
        has_titles: bool = True,
    ) -> None:
        if widths is None:
            self._stacked(columns, rows, indent)
            return
        grid = _grid(columns, widths, has_titles=has_titles)
        for row in rows:
            grid.add_row(*(_rich(self.cut(cell, width)) for cell, width in zip(row, widths, strict=True)))
        self._print(grid, indent)

    def _stacked(self, columns: Sequence[Column], rows: Sequence[Sequence[Cell]], indent: int) -> None:
        room = self.console.width - indent - GAP
        for row in rows:
            pairs = list(zip(columns, row, strict=True))
            short = [cell for column, cell in pairs if not column.is_wide and plain(cell)]
            self.line(*(part for cell in short for part in (cell, " " * GAP)), indent=indent)
            for text in (cell for column, cell in pairs if column.is_wide and plain(cell)):
                self.line(self.cut(text, room), indent=indent + GAP)

    def more(self, rest: int | str, what: str, how: str) -> None:
        """Print that a list was cut, and how to get the rest of it."""
        if rest:
            number = f"{rest:,}" if isinstance(rest, int) else rest
            self.unbroken(
                Styled(f"{number} more {what.removesuffix('s') if rest == 1 else what}: {how}", QUIET), indent=GAP
            )

    def cut(self, cell: Cell, room: int) -> Cell:
        """Return a text in at most so many cells; in a pipe, whole."""
        text = plain(cell)
        if self.is_plain or cell_len(text) <= room:
            return cell
        short = set_cell_size(text, max(room - len(self._dots), 0)).rstrip() + self._dots
        return Styled(short, cell.style) if isinstance(cell, Styled) else short

    def room(self, *cells: Cell) -> int:
        """Return how many cells a line has left behind these."""
        return max(self.console.width - sum(cell_len(plain(cell)) for cell in cells), 0)

    def bar(self, done: int, total: int, width: int = BAR) -> str:
        """Return how much of something is done, as a bar; in a pipe, nothing: the numbers stand beside it."""
        if self.is_plain:
            return ""
        filled = width * done // total if total else 0
        return self._full * filled + self._empty * (width - filled)

    def when(self, moment: str | None) -> str:
        """Return how long ago something was, or how long it is until then; in a pipe, the time itself."""
        if not moment or self.is_plain:
            return moment or ""
        return relative(moment, self.now)

    def json(self, value: object) -> None:
        """Print a value for programs."""
        self._write(encode(value))

    @contextmanager
    def progress(self, what: str, total: int | None = None) -> Generator[Callable[[int], None]]:
        """Show on stderr how far long work is and how fast it goes, if that is a terminal; yield what advances it."""
        console = Console(stderr=True)
        if not console.is_terminal:
            yield lambda _: None
            return
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            ProgressColumn,
            Task,
            TextColumn,
            TimeRemainingColumn,
        )

        class Rate(ProgressColumn):
            def render(self, task: Task) -> Text:
                return Text(f"{task.speed:,.0f}/s" if task.speed else "")

        columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), Rate())
        with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
            task = bar.add_task(shown(what), total=total)
            yield lambda done: bar.advance(task, done)

    def _print(self, grid: Table, indent: int) -> None:
        self._has_begun = True
        self.console.print(Padding(grid, (0, 0, 0, indent), expand=False))

    def _write(self, text: str) -> None:
        self._has_begun = True
        self.console.file.write(f"{text}\n")


def plain(cell: Cell) -> str:
    """Return a text as it may be shown."""
    return shown(cell.text if isinstance(cell, Styled) else cell)


def relative(moment: str, now: datetime) -> str:
    """Return a time as people say it: `3 min ago`, `in 2 h`. What is no time stays as it is."""
    try:
        seconds = (now - datetime.fromisoformat(moment)).total_seconds()
    except (ValueError, TypeError):  # a store that was imported says what it likes
        return moment
    if abs(seconds) < 1:
        return "now"
    return f"{duration(seconds)} ago" if seconds > 0 else f"in {duration(-seconds)}"


def duration(seconds: float) -> str:
    """Return a number of seconds in the largest unit of which there is one."""
    for unit, size in UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def _rich(cell: Cell) -> Text:
    return Text(plain(cell), cell.style if isinstance(cell, Styled) else "")


def _joined(cells: Iterable[Cell]) -> Text:
    return Text().join(map(_rich, cells))


def _grid(columns: Sequence[Column], widths: Sequence[int], *, has_titles: bool = True) -> Table:
    grid = Table(
        box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style=QUIET, show_edge=False, show_header=has_titles
    )
    for column, width in zip(columns, widths, strict=True):
        side = "right" if column.is_number else "left"
        grid.add_column(Text(column.title), width=width, no_wrap=True, overflow="crop", justify=side)
    return grid


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], room: int) -> list[int] | None:
    """Return how wide each column is, or None if the wide ones would have too little."""
    natural = [
        max(cell_len(column.title), *(cell_len(plain(row[place])) for row in rows))
        for place, column in enumerate(columns)
    ]
    left = room - sum(natural) - GAP * (len(columns) - 1)
    wide = [place for place, column in enumerate(columns) if column.is_wide]
    for place in sorted(wide, key=lambda one: natural[one], reverse=True):
        if left < 0:
            least = min(natural[place], LEAST)
            taken = min(natural[place] - least, -left)
            natural[place] -= taken
            left += taken
    return natural if left >= 0 else None
