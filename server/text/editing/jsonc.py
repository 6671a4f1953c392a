"""JSON as people keep it, with comments and commas at the end: read, and edited by splicing. Pure.

A member is put in, replaced or taken out by its offsets; every other character stays as it was.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

BOM = "\ufeff"
DEEPEST = 100
TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    |(?P<line>//[^\r\n]*)
    |(?P<comment>/\*.*?\*/)
    |(?P<string>"(?:[^"\\\r\n]|\\.)*")
    |(?P<atom>(?:true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![\w.+-]))
    |(?P<mark>[{}\[\]:,])""",
    re.VERBOSE | re.DOTALL,
)


class BadJson(ValueError):
    """It is no JSON, not even with comments, or not edited safely; the message says where and why, for people."""


@dataclass(frozen=True)
class Piece:
    """A token or a comment."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True)
class JsonNode:
    """A value: where it stands, what it says, and, of an object, its members."""

    start: int
    end: int
    value: Any
    members: "tuple[JsonMember, ...] | None" = None


@dataclass(frozen=True)
class JsonMember:
    """A member of an object; `comma` is where the comma behind it ends."""

    key: str
    start: int
    node: JsonNode
    comma: int | None


def read(text: str) -> Any:
    """Return what a text says; one of nothing but comments says `{}`."""
    root = _Document(text).root
    return root.value if root else {}


def with_member(text: str, path: Sequence[str], value: object) -> str:
    """Return a text with a member at `path`, in place of the one that it had."""
    document = _Document(text)
    node = document.root
    if node is None:
        return document.begun(_nested(path, value))
    for place, key in enumerate(path):
        member = _member(node, path[:place], key)
        if member is None:
            return document.inserted(node, key, _nested(path[place + 1 :], value))
        if place == len(path) - 1:
            return document.replaced(member, value)
        node = member.node
    raise BadJson("no member is named")


def without_member(text: str, path: Sequence[str]) -> str:
    """Return a text without the member at `path`; what holds it stays."""
    document = _Document(text)
    node = document.root
    for place, key in enumerate(path):
        member = _member(node, path[:place], key) if node else None
        if node is None or member is None:
            return text
        if place == len(path) - 1:
            return document.removed(node, member)
        node = member.node
    return text


def _nested(path: Sequence[str], value: object) -> object:
    for key in reversed(path):
        value = {key: value}
    return value


def _member(node: JsonNode, path: Sequence[str], key: str) -> JsonMember | None:
    if node.members is None:
        raise BadJson(f"{'.'.join(path) or 'the whole'} is no object")
    found = [member for member in node.members if member.key == key]
    if len(found) > 1:
        raise BadJson(f"{key!r} stands in it {len(found)} times")
    return found[0] if found else None


class _Document:
    """A text in pieces, and what they make."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.pieces = self._pieces()
        self._tokens = [piece for piece in self.pieces if piece.kind not in ("line", "comment")]
        self._at = 0
        self.root = self._value(0) if self._tokens else None
        if self._at < len(self._tokens):
            self._refuse("goes on behind its end")
        self.eol = "\r\n" if "\r\n" in text else "\n"

    def _pieces(self) -> list[Piece]:
        at, pieces = len(BOM) if self.text.startswith(BOM) else 0, list[Piece]()
        while at < len(self.text):
            found = TOKEN.match(self.text, at)
            if found is None:
                raise BadJson(f"{self._where(at)}: {self.text[at : at + 10]!r} is no JSON")
            if found.lastgroup != "space":
                pieces.append(Piece(str(found.lastgroup), at, found.end()))
            at = found.end()
        return pieces

    def _where(self, at: int) -> str:
        return f"line {self.text.count(chr(10), 0, at) + 1}"

    def _refuse(self, why: str) -> NoReturn:
        at = self._tokens[self._at].start if self._at < len(self._tokens) else len(self.text)
        raise BadJson(f"{self._where(at)}: it {why}")

    def _next(self) -> str:
        """Return the text of the next token, empty at the end."""
        if self._at == len(self._tokens):
            return ""
        return self.text[self._tokens[self._at].start : self._tokens[self._at].end]

    def _take(self, mark: str) -> int:
        """Step over a mark that has to come, and return where it ends."""
        if self._next() != mark:
            self._refuse(f"has no {mark!r} here")
        self._at += 1
        return self._tokens[self._at - 1].end

    def _value(self, depth: int) -> JsonNode:
        if depth > DEEPEST:
            self._refuse("is too deep")
        match self._next():
            case "{":
                return self._object(depth)
            case "[":
                return self._array(depth)
            case text:
                if not text or self._tokens[self._at].kind == "mark":
                    self._refuse("has no value here")
                piece = self._tokens[self._at]
                value = self._atom(text)
                self._at += 1
                return JsonNode(piece.start, piece.end, value)

    def _atom(self, text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError as error:
            self._refuse(f"has a value that is none: {error}")

    def _object(self, depth: int) -> JsonNode:
        start, members = self._take("{") - 1, list[JsonMember]()
        while self._next() != "}":
            if not self._next().startswith('"'):
                self._refuse("has no key here")
            key, begins = self._atom(self._next()), self._tokens[self._at].start
            self._at += 1
            self._take(":")
            node = self._value(depth + 1)
            comma = self._take(",") if self._next() != "}" else None
            members.append(JsonMember(key, begins, node, comma))
        end = self._take("}")
        return JsonNode(start, end, {member.key: member.node.value for member in members}, tuple(members))

    def _array(self, depth: int) -> JsonNode:
        start, items = self._take("[") - 1, list[Any]()
        while self._next() != "]":
            items.append(self._value(depth + 1).value)
            if self._next() != "]":
                self._take(",")
        return JsonNode(start, self._take("]"), items)

    def begun(self, value: object) -> str:
        """Return a text that said nothing yet with a value."""
        gap = "" if not self.pieces or self.text.endswith("\n") else self.eol
        return f"{self.text}{gap}{self._rendered(value, '')}{self.eol}"

    def inserted(self, node: JsonNode, key: str, value: object) -> str:
        """Return the text with a member at the end of an object, set like the one before it."""
        members = node.members or ()
        tail, brace = self._before(node.end - 1), node.end - 1
        margin = self._margin(node.start)
        if members and self._begins_line(members[-1].start):
            lead = self._margin(members[-1].start)
        else:
            lead = None if members or not self._is_open(node) else margin + self._unit()
        if lead is None and tail.kind == "line":
            lead = margin + self._unit()
        shown = f"{_key(key)}: {self._rendered(value, lead)}"
        comma = "," if members and members[-1].comma else ""
        if lead is None:
            new = f"{' ' if members else ''}{shown}{comma}"
        else:
            closing = "" if "\n" in self.text[tail.end : brace] else self.eol + margin
            new = f"{self.eol}{lead}{shown}{comma}{closing}"
        splices = [(tail.end, tail.end, new)]
        if members and not comma:
            splices.insert(0, (members[-1].node.end, members[-1].node.end, ","))
        return self._spliced(splices)

    def replaced(self, member: JsonMember, value: object) -> str:
        """Return the text with another value of a member, on one line or several as the old one."""
        old = self.text[member.node.start : member.node.end]
        is_open = "\n" in old or (self._begins_line(member.start) and not member.node.value)
        shown = self._rendered(value, self._margin(member.start) if is_open else None)
        return self._spliced([(member.node.start, member.node.end, shown)])

    def removed(self, node: JsonNode, member: JsonMember) -> str:
        """Return the text without a member and its comma, and without the line that it leaves empty."""
        members = list(node.members or ())
        end = member.comma or member.node.end
        before, after = self._before(member.start), self._after(end)
        rest = self.text[end : after.start]
        start = member.start if before.kind == "line" and "\n" not in rest else before.end
        if before.start == node.start and after.end == node.end:
            end = after.start  # nothing is left between the braces
        else:
            end += len(rest) - len(rest.lstrip(" \t")) if rest.lstrip(" \t")[:1] in ("\r", "\n") else 0
        splices = [(start, end, "")]
        if member is members[-1] and member.comma is None and len(members) > 1:
            last = members[-2].comma or 0
            splices.insert(0, (last - 1, last, ""))
        return self._spliced(splices)

    def _spliced(self, splices: Sequence[tuple[int, int, str]]) -> str:
        """Return the text with ranges replaced; they stand in order."""
        text = self.text
        for start, end, new in reversed(splices):
            text = text[:start] + new + text[end:]
        return text

    def _before(self, at: int) -> Piece:
        """Return the token or comment that ends last before an offset."""
        return next(piece for piece in reversed(self.pieces) if piece.end <= at)

    def _after(self, at: int) -> Piece:
        return next(piece for piece in self.pieces if piece.start >= at)

    def _margin(self, at: int) -> str:
        """Return the white space that the line of an offset begins with."""
        line = self.text[self.text.rfind("\n", 0, at) + 1 : at].removeprefix(BOM)
        return line[: len(line) - len(line.lstrip(" \t"))]

    def _begins_line(self, at: int) -> bool:
        line = self.text[:at].removeprefix(BOM)
        return not line[line.rfind("\n") + 1 :].strip(" \t") and "\n" in line

    def _is_open(self, node: JsonNode) -> bool:
        """Return whether an object without members gets lines of its own: a text on one line stays so."""
        return node is self.root or "\n" in self.text.strip()

    def _unit(self) -> str:
        """Return how far a member of the root is indented."""
        for piece in self.pieces:
            if self._begins_line(piece.start) and (margin := self._margin(piece.start)):
                return margin
        return "  "

    def _rendered(self, value: object, margin: str | None) -> str:
        """Return a value as JSON: on one line, or on several that begin with `margin`."""
        if margin is None:
            return json.dumps(value, ensure_ascii=False)
        return json.dumps(value, ensure_ascii=False, indent=self._unit()).replace("\n", self.eol + margin)


def _key(key: str) -> str:
    return json.dumps(key, ensure_ascii=False)
