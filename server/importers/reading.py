"""Reading files of a source: confined to its root, and tolerant of what other programs leave in them."""

import hashlib
import json
import math
import os
import re
import stat
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from server.models.base import timestamp
from server.models.imports import FileEntry, FileStatus, Severity

OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
JSON_BYTES = 64 * 1024 * 1024
STREAM_BYTES = 1024 * 1024 * 1024
RAW_BYTES = 64 * 1024 * 1024  # of a streamed file, compressed
CHUNK = 1024 * 1024
ATTEMPTS = 3  # to read a file that others write to
DEPTH = 300
DIGITS = 300  # of a whole number: one that is longer is too large to be counted with
BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
NO_CHARACTER = re.compile("[\0\ud800-\udfff]")
MAY_HIDE_ONE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
NOT_KEPT = b""  # in place of the compressed bytes of a file, which are never empty
UNWANTED = "�"

Note = tuple[Severity, str]  # how bad it is, and what


class UnreadableFile(Exception):
    """The file holds nothing that can be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file found in a source. `odd` says why it is not read: it is a link, a device, a lock."""

    path: str
    location: Path
    odd: str | None = None


def entry_at(location: Path, path: str) -> Entry:
    """Return what was found at a place, whose path in the source is this."""
    return Entry(path, location, "a link; links are not followed" if location.is_symlink() else None)


def names_in(folder: Path) -> list[str]:
    """Return the names in a folder, in order; none of one that is a link or cannot be read."""
    try:
        return sorted(os.listdir(folder)) if not folder.is_symlink() else []  # noqa: PTH208 - names are all it needs
    except OSError:
        return []


@dataclass
class Content:
    """What a file held: its bytes, how to account for them, and what was odd about them."""

    path: str
    sha256: str
    size: int
    raw: bytes
    modified_at: str
    data: bytes = b""
    notes: list[Note] = field(default_factory=list[Note])

    def entry(
        self, status: FileStatus, reason: str | None = None, kind: str | None = None, key: str | None = None
    ) -> FileEntry:
        return FileEntry(self.path, self.sha256, self.size, status, reason, kind, key, self.raw, self.modified_at)


def walk(folder: Path, prefix: str = "", *, without: Collection[str] = ()) -> Iterator[Entry]:
    """Yield every file below a folder in the order of names. Links are told of, never followed.

    `without` names folders in it that are left out.
    """
    try:
        with os.scandir(folder) as found:
            entries = sorted((entry for entry in found if entry.name not in without), key=lambda entry: entry.name)
    except OSError as error:
        yield Entry(prefix.rstrip("/") or ".", folder, f"the folder cannot be read: {error.strerror}")
        return
    for entry in entries:
        path = prefix + _spelled(entry.name)
        if entry.is_symlink() or _is_junction(entry):
            yield Entry(path, Path(entry.path), _link(entry, folder))
        elif entry.is_dir(follow_symlinks=False):
            yield from walk(Path(entry.path), path + "/")
        elif entry.is_file(follow_symlinks=False):
            yield Entry(path, Path(entry.path))
        else:
            yield Entry(path, Path(entry.path), "neither a file nor a folder")


def _spelled(name: str) -> str:
    """Return a name as text: bytes that are no UTF-8 show as escapes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _is_junction(entry: "os.DirEntry[str]") -> bool:
    check: Callable[[], bool] | None = getattr(entry, "is_junction", None)  # from Python 3.12 on
    return check is not None and check()


def _link(entry: "os.DirEntry[str]", folder: Path) -> str:
    try:
        target = _spelled(str(Path(entry.path).readlink()))
    except OSError:
        target = "?"
    inside = Path(os.path.realpath(entry.path)).is_relative_to(os.path.realpath(folder))
    return f"a link to {target!r}; {'links are' if inside else 'a link that leads out is'} not followed"


def fingerprint(location: Path, path: str, odd: str | None = None) -> tuple[str, int]:
    """Return the SHA-256 and the size of a file; of one that cannot be read, the SHA-256 of its path and 0.

    One that is larger than what is read is told apart by its size and its time.
    """
    found, size = hashlib.sha256(), 0
    try:
        about = location.lstat()
        if odd is None and about.st_size > STREAM_BYTES:
            told = f"{path} {about.st_size} {about.st_mtime_ns}"
            return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest(), about.st_size
        for chunk in _chunks(location) if odd is None else ():
            found.update(chunk)
            size += len(chunk)
    except (OSError, UnreadableFile):
        odd = "unreadable"
    return (found.hexdigest() if odd is None else hashlib.sha256(path.encode()).hexdigest()), size


def head(location: Path, most: int) -> bytes:
    """Return how a file begins; nothing of what is no file, leads elsewhere or cannot be read."""
    try:
        with os.fdopen(os.open(location, OPEN_FLAGS), "rb") as file:
            return file.read(most) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else b""
    except OSError:
        return b""


def _chunks(location: Path) -> Iterator[bytes]:
    handle = os.open(location, OPEN_FLAGS)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise UnreadableFile("it is no regular file")
        while chunk := file.read(CHUNK):
            yield chunk


def absent(entry: Entry, status: FileStatus, reason: str) -> FileEntry:
    """Return the account of a file whose bytes are not kept."""
    return FileEntry(entry.path, *fingerprint(entry.location, entry.path, entry.odd), status, reason)


def read(
    entry: Entry, times: Callable[[str, str], str | None] = lambda path, sha256: None, most: int = JSON_BYTES
) -> Content:
    """Read a file whole. `times` tells the time that a file with these bytes had when it was imported before."""
    data = _whole(entry.location, most)
    sha256 = hashlib.sha256(data).hexdigest()
    modified_at = times(entry.path, sha256) or modified(entry.location)
    return Content(entry.path, sha256, len(data), zlib.compress(data, 6), modified_at, data)


def _whole(location: Path, most: int) -> bytes:
    """Return what a file holds; read it anew if somebody wrote to it meanwhile."""
    for _ in range(ATTEMPTS):
        before = state(location)
        if before[0] > most:
            raise UnreadableFile(f"{before[0]} bytes are more than the {most} that are read")
        data = b"".join(_chunks(location))
        if state(location) == before:
            return data
    raise UnreadableFile("it is being written to: import it again when nobody is")


def state(location: Path) -> tuple[int, int, int]:
    """Return what changes when somebody writes to a file, or puts another in its place: its size first."""
    about = location.lstat()
    return about.st_size, about.st_mtime_ns, about.st_ino


def merge_marker(lines: Iterable[bytes]) -> int | None:
    """Return the number of the first line that a merge left behind because two sides disagreed."""
    begun = None
    for number, line in enumerate(lines, 1):
        if line.startswith(b"<<<<<<< "):
            begun = begun or number
        elif begun and line.startswith(b">>>>>>> "):
            return begun
    return None


def stream(entry: Entry, content: Content, *, packs: bool = True) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a file of any length with their numbers, and fill `content` by the end: with its bytes if it
    `packs` them.
    """
    found, packer = hashlib.sha256(), zlib.compressobj(6)
    raw: list[bytes] = []
    rest, number, packed, before = b"", 0, 0, state(entry.location)
    for chunk in _chunks(entry.location):
        found.update(chunk)
        if packs and packed <= RAW_BYTES:
            raw.append(packer.compress(chunk))
            packed += len(raw[-1])
        content.size += len(chunk)
        if content.size > STREAM_BYTES:
            raise UnreadableFile(f"it has more than the {STREAM_BYTES} bytes that are read")
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > JSON_BYTES:
            raise UnreadableFile(f"line {number + len(lines) + 1} is longer than the {JSON_BYTES} bytes that are read")
        for line in lines:
            number += 1
            yield number, line
    if rest:
        yield number + 1, rest
    raw.append(packer.flush())
    if state(entry.location) != before:
        content.notes.append(("warning", "it was written to while it was read: import it again when nobody does"))
    content.sha256, content.raw = found.hexdigest(), b"".join(raw)
    if packed > RAW_BYTES:
        content.raw = NOT_KEPT
        content.notes.append(("warning", f"its bytes are not kept: more than {RAW_BYTES} of them when compressed"))


def modified(location: Path) -> str:
    """Return when a file was last changed."""
    seconds = location.lstat().st_mtime
    try:
        return timestamp(datetime.fromtimestamp(seconds, UTC))
    except (OverflowError, ValueError, OSError):
        return timestamp(datetime.fromtimestamp(0, UTC))


def text_of(content: Content) -> str:
    """Return the text of a file, or raise Unreadable; `content.notes` tell what had to be borne."""
    text = _decoded(content.data, content.notes)
    if NO_CHARACTER.search(text):
        if text.count("\0") > len(text) // 10:
            raise UnreadableFile("it is no text")
        content.notes.append(("warning", "NUL characters; each became \ufffd"))
        text = NO_CHARACTER.sub(UNWANTED, text)
    return text


def _decoded(data: bytes, notes: list[Note]) -> str:
    for mark, encoding in BOMS:
        if data.startswith(mark):
            notes.append(("info", f"a byte order mark ({encoding})"))
            return data[len(mark) :].decode(encoding, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        notes.append(("warning", f"not UTF-8 (byte {error.start}); read as Windows-1252"))
        return data.decode("cp1252", "replace")


def json_of(content: Content) -> Any:
    """Return the JSON of a file, or raise Unreadable; `content.notes` tell what had to be borne."""
    try:
        return _json_of(content)
    finally:
        if content.raw and not content.data:
            content.data = zlib.decompress(content.raw)


def _json_of(content: Content) -> Any:
    text = text_of(content)
    if not text or text.isspace():
        raise UnreadableFile("it is empty")
    if b"\r\n" in content.data:
        content.notes.append(("info", "lines end in CRLF"))
    if content.raw and len(content.data) > CHUNK:
        content.data = b""  # a long file would be in memory three times: as bytes, as text and as what it says
    return parse(text, content.notes)


def parse(text: str, notes: list[Note]) -> Any:
    """Return JSON that may have duplicate keys, NaN, control characters and halves of characters."""
    try:
        found = _loads(text, notes)
    except RecursionError as error:
        raise UnreadableFile(f"it is nested deeper than {DEPTH} levels") from error
    except json.JSONDecodeError as error:
        end = " (cut off?)" if error.pos >= len(text.rstrip()) else ""
        raise UnreadableFile(
            f"no JSON: {error.msg.removesuffix(' starting at')} at line {error.lineno}, column {error.colno}{end}"
        ) from error
    except ValueError as error:
        raise UnreadableFile(f"no JSON that can be kept: {error}") from error
    if text.count("[") + text.count("{") > DEPTH and _is_deeper(found, DEPTH):
        raise UnreadableFile(f"it is nested deeper than {DEPTH} levels")
    if MAY_HIDE_ONE.search(text):
        return _cleaned(found, notes)
    return found


def _loads(text: str, notes: list[Note]) -> Any:
    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        whole = dict(found)
        if len(whole) != len(found):
            notes.extend(_repeated(found))
        return whole

    def constant(name: str) -> str:
        notes.append(("warning", f"{name} is no JSON; kept as text"))
        return name

    def number(digits: str) -> float | str:
        value = float(digits)
        return value if math.isfinite(value) else constant(digits)

    def whole(digits: str) -> int | str:
        return int(digits) if len(digits) <= DIGITS else constant(digits)

    how: Any = {"parse_constant": constant, "parse_float": number, "parse_int": whole}
    decoder = json.JSONDecoder(object_pairs_hook=pairs, **how)
    try:
        return decoder.decode(text)
    except json.JSONDecodeError as error:
        if not error.msg.startswith("Invalid control character"):
            raise
        notes[:] = [("warning", f"control characters inside of text (line {error.lineno}, column {error.colno})")]
    decoder = json.JSONDecoder(object_pairs_hook=pairs, **how, strict=False)
    return decoder.decode(text)


def _repeated(found: list[tuple[str, Any]]) -> Iterator[Note]:
    """Tell of the values that lose to a later one of the same key."""
    last = dict(found)
    for name, value in found:
        if value is not last[name]:
            shown = json.dumps(value, ensure_ascii=False)
            yield "warning", f"the key {name!r} stands twice; the last one counts, not {shown[:200]}"


def object_of(value: object) -> dict[str, Any]:
    """Return an object of JSON; an empty one for anything else."""
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def list_of(value: object) -> list[Any]:
    """Return a list of JSON; an empty one for anything else."""
    return cast(list[Any], value) if isinstance(value, list) else []


def is_object(value: object) -> bool:
    return isinstance(value, dict)


def is_list(value: object) -> bool:
    return isinstance(value, list)


def objects_of(value: object) -> list[dict[str, Any]]:
    """Return the objects in a list of JSON."""
    return [object_of(entry) for entry in list_of(value) if is_object(entry)]


def _is_deeper(value: Any, depth: int) -> bool:
    layer = [value]
    for _ in range(depth):
        layer = [child for node in layer for child in _children(node) if isinstance(child, dict | list)]
        if not layer:
            return False
    return True


def _children(node: Any) -> list[Any]:
    return [*object_of(node).values(), *list_of(node)]


def _cleaned(value: Any, notes: list[Note]) -> Any:
    """Return JSON values without NUL and lone surrogates, which no text column and no client can take."""
    if isinstance(value, str):
        if not NO_CHARACTER.search(value):
            return value
        notes.append(("warning", f"{value[:60]!r} holds NUL or half a character; each became \ufffd"))
        return NO_CHARACTER.sub(UNWANTED, value)
    if isinstance(value, dict):
        items = cast(dict[str, Any], value).items()
        return {_cleaned(name, notes): _cleaned(item, notes) for name, item in items}
    if isinstance(value, list):
        return [_cleaned(item, notes) for item in cast(list[Any], value)]
    return value
