"""The part of a text that a hit shows: around what answers the query, each match marked, on one line.

Whatever was stored, what is shown has no invisible characters, and nothing is cut within what people see as one.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from server.text.text_analysis import CHAIN, INVISIBLE, UNSPACED, WORD_LENGTH, character, prepare

SNIPPET_LENGTH = 200
WINDOW = 800  # characters around the first match that a snippet is taken from
SCANNED = 50_000  # characters of a text that are looked at for a match that is written in another way
CLUSTER = 32  # code points that people may see as one character
OPEN, CLOSE, MORE = "«", "»", "…"
QUOTES = str.maketrans("«»", "\u2039\u203a")  # so that only a match is between the marks
# What belongs to the character before it, besides marks: skin tones, and the parts of a Hangul syllable.
FOLLOWING = re.compile(r"[\U0001f3fb-\U0001f3ff\u1160-\u11ff]")
FLAG = re.compile(r"[\U0001f1e6-\U0001f1ff]{2}")  # two letters make one
FLAG_LETTERS = re.compile(r"[\U0001f1e6-\U0001f1ff]+$")
VIRAMA = 9  # the combining class of the sign that joins two Indic letters
BLANKS, MARKS = " \t\r\n", "#*_"  # of Markdown


def tidy(text: str) -> str:
    """Return a text on one line, without control characters and those that are invisible or turn the text around."""
    return " ".join("".join(map(_visible, text)).split()) if not text.isprintable() else " ".join(text.split())


def shortened(text: str, length: int) -> str:
    """Return the beginning of a text on one line."""
    line = tidy(text[: 4 * length])
    return line if len(line) <= length else line[: _edge(line, length - 1)].rstrip() + MORE


def beyond(text: str, shown: str) -> str:
    """Return a text without what a title in front of it shows of its beginning, a mark of a heading included."""
    told = shown.removesuffix(MORE).split()
    if not told:
        return text
    at = _behind(BLANKS, text, 0)
    at = at if text.startswith(told[0], at) else _behind(BLANKS + MARKS, text, at)
    for word in told:
        at = _behind(BLANKS, text, at)
        if not text.startswith(word, at):
            return text
        at += len(word)
    if shown.endswith(MORE):
        return MORE + text[at:]
    return text if text[at : at + 1].isalnum() else text[_behind(BLANKS + MARKS + ".:", text, at) :]


def _behind(some: str, text: str, at: int) -> int:
    while at < len(text) and text[at] in some:
        at += 1
    return at


def snippet(text: str, wanted: Iterable[str], length: int = SNIPPET_LENGTH) -> str:
    """Return the part of a text that holds most of the wanted indexed words, with each of them marked."""
    stems = frozenset(wanted)
    first, last = _window(text, stems, WINDOW)
    whole = tidy(text[first:last]).translate(QUOTES)
    spans = list(_matches(whole, stems))
    start = _beginning(whole, _best(spans, length))
    end = _ending(whole, start, start + length)
    before, after = MORE if start or first else "", MORE if end < len(whole) or last < len(text) else ""
    return f"{before}{_marked(whole, start, end, spans)}{after}"


@lru_cache(maxsize=4096)
def _visible(char: str) -> str:
    if INVISIBLE.match(char):
        return ""
    return " " if char.isspace() or unicodedata.category(char)[0] == "C" else char


def _window(text: str, stems: frozenset[str], size: int) -> tuple[int, int]:
    """Return where a bounded part of a long text begins and ends, around the first of the longest word it holds."""
    if len(text) <= 2 * size:
        return 0, len(text)
    folded = text.lower()
    found = [at for stem in sorted(stems, key=len, reverse=True) if (at := folded.find(stem)) >= 0]
    around = ((max(at - size, 0), min(at + size, len(text))) for at in found)
    if whole := next((window for window in around if any(_matches(text[slice(*window)], stems))), None):
        return whole
    at = _first(text, stems)
    return max(at - size, 0), min(at + size, len(text))


def _first(text: str, stems: frozenset[str]) -> int:
    """Return where the first match is in a long text, however it is written there; 0 if it is too far."""
    for at in range(0, min(len(text), SCANNED), WINDOW):
        for start, _, _ in _matches(text[at : at + WINDOW + WORD_LENGTH], stems):
            return at + start
    return 0


def _beginning(text: str, wanted: int) -> int:
    """Return where a part of a text may begin: behind a blank, or, where words are long, before a whole character."""
    blank = text.rfind(" ", 0, wanted) + 1 if wanted else 0
    return blank if wanted - blank <= WORD_LENGTH else _edge(text, wanted)


def _ending(text: str, start: int, wanted: int) -> int:
    if wanted >= len(text):
        return wanted
    blank = text.rfind(" ", start, wanted)
    return blank if blank > (start + wanted) // 2 else _edge(text, wanted)


def _edge(text: str, at: int) -> int:
    """Return the next place before `at` where a text may be cut without cutting what people see as one character."""
    return next((place for place in range(at, max(at - CLUSTER, 0), -1) if not _is_within(text, place)), at)


def _is_within(text: str, at: int) -> bool:
    before, char = text[at - 1], text[at]
    if FLAG.fullmatch(before + char):
        letters = FLAG_LETTERS.search(text, 0, at)
        return letters is not None and len(letters[0]) % 2 == 1
    follows = unicodedata.category(char)[0] == "M" or FOLLOWING.match(char) is not None
    return follows or (unicodedata.combining(before) == VIRAMA and char.isalpha())


def _matches(text: str, stems: frozenset[str]) -> Iterator[tuple[int, int, frozenset[str]]]:
    """Yield where the chains are that hold a wanted word, and which."""
    plain = text if text.isascii() else "".join(char if len(char) == 1 else " " for char in map(character, text))
    chains = set(CHAIN.findall(plain))
    known = {chain: stems & _stems(chain) for chain in chains if chain.isascii() or not UNSPACED.search(chain)}
    for found in CHAIN.finditer(plain) if len(known) < len(chains) or any(known.values()) else ():
        chain = found[0]
        if here := known.get(chain):
            yield found.start(), found.end(), here
        elif here is None and (run := UNSPACED.search(chain)):
            yield from _unspaced_matches(chain, run.start(), found.start(), stems)
    if not text.isascii():
        symbols = ((i, stems & _stems(text[i])) for i, char in enumerate(plain) if char == " ")
        yield from ((i, i + 1, here) for i, here in symbols if here)


@lru_cache(maxsize=16_384)
def _stems(text: str) -> frozenset[str]:
    return frozenset(prepare(text).split())


def _unspaced_matches(
    chain: str, first: int, offset: int, stems: frozenset[str]
) -> Iterator[tuple[int, int, frozenset[str]]]:
    start = -1
    for i in range(first, len(chain)):
        if start >= 0 and i < start:
            continue
        end = i
        while end + 1 < len(chain) and _is_wanted(chain[end : end + 2], stems):
            end += 1
        if end > i or chain[i] in stems:
            start = end + 1
            yield offset + i, offset + start, frozenset({chain[i : i + 2]})


def _is_wanted(pair: str, stems: frozenset[str]) -> bool:
    """Return whether two neighbours are sought; in Thai one of them may be two characters to the index."""
    plain = unicodedata.normalize("NFKC", pair)
    return pair in stems or (plain != pair and all(plain[i : i + 2] in stems for i in range(len(plain) - 1)))


def _best(spans: Sequence[tuple[int, int, frozenset[str]]], length: int) -> int:
    """Return where to begin, so that the most different wanted words follow."""
    best, start = 0, 0
    every = frozenset[str]().union(*(here for _, _, here in spans))
    for i, (first, _, _) in enumerate(spans[:50]):
        if best == len(every):
            break
        seen = frozenset[str]().union(*(here for at, _, here in spans[i : i + 20] if at <= first + length * 2 // 3))
        if len(seen) > best:
            best, start = len(seen), first
    return max(start - length // 4, 0) if start > length // 2 else 0


def _marked(text: str, start: int, end: int, spans: Sequence[tuple[int, int, frozenset[str]]]) -> str:
    parts, at = list[str](), start
    for first, last, _ in sorted(spans, key=lambda span: span[:2]):
        if at <= first < end:
            parts += [text[at:first], OPEN, text[first : min(last, end)], CLOSE]
            at = min(last, end)
    return "".join([*parts, text[at:end]])
