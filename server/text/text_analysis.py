"""Text as search sees it: what is indexed of a text, and what a query asks for.

Both sides go through the same steps, so a text is found however it was typed. Identifiers are taken apart and kept
whole, case and accents are folded, endings cut (`tests`, `testing` and `test` are one word), and scripts that do not
part their words are cut into pairs of characters. What comes out are words of letters and digits between blanks.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

WORD_LENGTH = 64  # characters of a word that count; what is longer is data, not language
WORDS_OF_CHAIN = 12
REMEMBERED = 256  # characters of a chain, or of a word, up to which what becomes of it is kept
MOST_TERMS = 16
QUERY_LENGTH = 4_000

# How much a word tells of a text. The index holds what follows of it, so a change is one of the schema: all made anew.
TITLE_WEIGHT, TITLE_LENGTH = 3.0, 8
BODY_LENGTH = 60
LENGTH_SHARE = 0.6
PROMINENT, MOST_PROMINENT = 2.5, 16  # said so often for the length of a text; so many words of one
BRIEF = 10  # words of a body that is too short to say one of them in passing

# Words of a question that say nothing about what is sought. They count when there are no others.
STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
        a an and any are as at be been but by can could do does did for from had has have how i if in into is it its me
        my of on or our please shall should so than that the their them then there these they this those to us was we
        were what when where which who why will with would you your
        """,
    )
)

# A chain is what people read as one name: words joined by one or two marks, `c++` and `c#` included.
LETTER = r"[^\x00-/:-@\[-`{-\x7f]"  # or digit, or anything beyond ASCII: said so, it compiles in no time
CHAIN = re.compile(rf"{LETTER}+(?:[_.\-/\\:'@$]{{1,2}}{LETTER}+)*(?:\+{{1,2}}|#{{1,2}}(?![0-9]))?")
JOINTS = re.compile(r"[_.\-/\\:'@$+#]+")
CAMEL = re.compile(r"(?<=[a-zß-öø-ÿ0-9])(?=[A-ZÀ-ÖØ-Þ])|(?<=[A-ZÀ-ÖØ-Þ])(?=[A-ZÀ-ÖØ-Þ][a-zß-öø-ÿ])")
VERSION = re.compile(r"[vV](?=[0-9]+$)")
# Marks that people leave out: accents, and the points of Hebrew and Arabic vowels.
ACCENTS = re.compile(r"[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670]")
# Characters that nobody sees: format characters, variation selectors, fillers.
INVISIBLE = re.compile(
    r"[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    r"\ufeff\uffa0\U000e0000-\U000e0fff]"
)
# Scripts without blanks between words: Thai to Myanmar, Khmer, kana, Han, Hangul.
UNSPACED = re.compile(
    r"[\u0e00-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
    r"\uf900-\ufaff\U00020000-\U0003ffff]+"
)
UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})
LIGATURES = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ħ": "h", "\u0131": "i"}
)  # letters that Unicode does not take apart
SIGNS = {"+": "plus", "#": "sharp"}


@dataclass(frozen=True)
class Term:
    """One word of a query: `ways` are the sets of indexed words of which one has to be there whole.

    `raw` is how it was typed, `word` how a vocabulary would spell it; `also` are words that it is the beginning of.
    """

    raw: str
    word: str
    ways: tuple[tuple[str, ...], ...]
    also: tuple[str, ...] = ()

    @property
    def stems(self) -> frozenset[str]:
        return frozenset(stem for way in self.ways for stem in way) | frozenset(self.also)


def indexed(text: str) -> tuple[str, set[str]]:
    """Return the words of a text as they are indexed, and those that queries are completed and corrected by."""
    chains = CHAIN.findall(_spaced(text))
    pieces = [_piece(chain) if len(chain) <= REMEMBERED else _piece_of(chain) for chain in chains]
    return " ".join([stems for stems, _ in pieces if stems]), {word for _, words in set(pieces) for word in words}


def indexed_as(word: str) -> str:
    """Return how a word of the vocabulary stands in the index."""
    return _stem(word)


def prepare(text: str) -> str:
    """Return the words of a text as they are indexed."""
    return indexed(text)[0]


def prominent(title: str, body: str) -> list[str]:
    """Return the indexed words that a text is about: those it says often for its length, or in its title."""
    frequency = dict[str, float]()
    for text, weight, usual in ((title, TITLE_WEIGHT, TITLE_LENGTH), (body, 1.0, BODY_LENGTH)):
        said = text.split()
        length = norm(len(said), usual)
        for word, count in Counter(said).items():
            frequency[word] = frequency.get(word, 0.0) + weight * count / length
    telling = [word for word, often in frequency.items() if often >= PROMINENT and word not in _stop_stems()]
    return sorted(telling, key=frequency.__getitem__, reverse=True)[:MOST_PROMINENT]


@lru_cache(maxsize=1)
def _stop_stems() -> frozenset[str]:
    return frozenset(map(_stem, STOP_WORDS))


def is_brief(body: str) -> bool:
    """Return whether an indexed text says so little that it may be about each of its words."""
    return 0 < len(body.split()) <= BRIEF


def norm(length: int, usual: int) -> float:
    """Return by what the number of times a word is said is divided: a text of the usual length counts as it is."""
    return 1 - LENGTH_SHARE + LENGTH_SHARE * length / usual


def parse(query: str) -> list[Term]:
    """Return the terms of a query. Nothing in it is syntax; words that say nothing count only among themselves."""
    terms: dict[str, Term] = {}
    for chain in CHAIN.findall(_spaced(query[:QUERY_LENGTH])):
        for term in _terms(chain):
            terms.setdefault(term.word, term)
    telling = [term for word, term in terms.items() if word not in STOP_WORDS]
    return (telling or list(terms.values()))[:MOST_TERMS]


def completed(term: Term, words: Iterable[str]) -> Term:
    """Return a term that the given words of the vocabulary satisfy as well."""
    return replace(term, also=tuple(dict.fromkeys(stem for stem in map(_stem, words) if stem not in term.stems)))


def corrected(term: Term, word: str) -> Term:
    """Return the term that asks for another word of the vocabulary."""
    return Term(word, word, ((_stem(word),),))


def exact(text: str) -> str:
    """Return what two titles have in common that are spelled alike, however they are written."""
    return " ".join(_fold(word) for word in JOINTS.sub(" ", _spaced(text)).split())


def slips(word: str) -> set[str]:
    """Return the words that become `word` by one slip of the finger."""
    halves = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    letters = "abcdefghijklmnopqrstuvwxyz"
    return {
        *(a + b[1:] for a, b in halves if b),
        *(a + b[1] + b[0] + b[2:] for a, b in halves if len(b) > 1),
        *(a + c + b[1:] for a, b in halves if b for c in letters),
        *(a + c + b for a, b in halves for c in letters),
    }


def _spaced(text: str) -> str:
    """Return a text in which every character is part of a word, a joint, or a blank, and symbols stand alone."""
    if text.isascii():
        return text
    return "".join(map(character, unicodedata.normalize("NFKC", INVISIBLE.sub("", text))))


@lru_cache(maxsize=4096)
def character(char: str) -> str:
    if char.isascii():
        return char
    if char == "\u2019":
        return "'"
    match unicodedata.category(char)[0]:
        case "P" | "Z" | "C":
            return " "
        case "S":
            return f" {char} "
        case _:
            return char


@lru_cache(maxsize=16_384)
def _piece(chain: str) -> tuple[str, tuple[str, ...]]:
    return _piece_of(chain)


def _piece_of(chain: str) -> tuple[str, tuple[str, ...]]:
    """Return the indexed words of a chain, and its words as a vocabulary holds them."""
    if chain.isascii() and chain.isalnum() and (chain.islower() or chain[1:].islower()):  # most are one plain word
        word = chain[:WORD_LENGTH].lower()
        return _stem(word), (word,)
    apart = _apart(chain)
    words = [word for word in map(_fold, apart) if word]
    known, other = set(words), _respelled(apart)
    words += [more for more in dict.fromkeys((_whole(chain), *other, _joined(other))) if more and more not in known]
    return " ".join(map(_stem, words)), tuple(words)


def _apart(chain: str) -> list[str]:
    """Return the words of a chain, and the pairs of characters of the scripts without blanks."""
    return [word for part in JOINTS.split(chain) for word in (_camel(part) if part.isascii() else _foreign(part))]


def _camel(part: str) -> list[str]:
    if not part or part.islower() or part.isupper() or part[1:].islower():
        return [part] if part else []
    return [word for word in CAMEL.split(part) if word]


def _foreign(part: str) -> Iterator[str]:
    end = 0
    for run in UNSPACED.finditer(part):
        yield from _camel(part[end : run.start()])
        yield from _pairs(run[0])
        end = run.end()
    yield from _camel(part[end:])


def _pairs(run: str) -> Iterator[str]:
    """Yield every two neighbours, and the last character, so that each character begins a word."""
    yield from (run[i : i + 2] for i in range(len(run) - 1))
    yield run[-1]


def _whole(chain: str) -> str:
    """Return a chain of several words as one, or nothing for one that is no name."""
    whole = _fold(JOINTS.sub("", chain))
    sign = chain[-1] if chain[-1] in SIGNS else ""
    if sign:
        whole += SIGNS[sign] * (len(chain) - len(chain.rstrip(sign)))
    return whole if len(whole) <= WORD_LENGTH and not UNSPACED.search(chain) else ""


def _respelled(apart: Sequence[str]) -> list[str]:
    """Return the words of a chain as others write them; none where all write them alike.

    Umlauts are spelled out where there are none on the keyboard, and a version may go without its `v`.
    """
    other = [word if word.isascii() else word.lower().translate(UMLAUTS) for word in apart]
    other = [VERSION.sub("", word) for word in other] if len(apart) > 1 else other
    return [] if other == apart else list(map(_fold, other))


def _joined(words: Sequence[str]) -> str:
    """Return words as one, or nothing where that is no name."""
    whole = "".join(words)
    return whole if len(whole) <= WORD_LENGTH and not UNSPACED.search(whole) else ""


def _fold(word: str) -> str:
    return _folded_start(word[:REMEMBERED])


@lru_cache(maxsize=16_384)
def _folded_start(word: str) -> str:
    if word.isascii():
        return word.lower()[:WORD_LENGTH]
    if unicodedata.category(word[0])[0] == "S":  # no accent makes ≠ of =
        return word
    plain = ACCENTS.sub("", unicodedata.normalize("NFKD", word.casefold())).translate(LIGATURES)
    return unicodedata.normalize("NFC", plain)[:WORD_LENGTH]


@lru_cache(maxsize=16_384)
def _stem(word: str) -> str:
    """Cut the ending of an English word, and always the same one; what is left begins the word."""
    if len(word) < 4 or not word.isascii() or not word.isalpha():
        return word
    stem = _singular(word)
    for ending in ("ing", "ed", "ion"):
        if stem.endswith(ending) and _has_vowel(root := stem[: -len(ending)]) and len(root) > 2:
            if ending == "ion" and root[-1] not in "st":
                continue
            stem = root[:-1] if len(root) > 3 and root[-1] == root[-2] and root[-1] not in "lsz" else root
            break
    return stem[:-1] if len(stem) > 3 and stem[-1] in "ey" else stem


def _singular(word: str) -> str:
    if word.endswith("ies"):
        return word[:-3] + "y" if len(word) > 4 else word[:-1]
    if word.endswith("s") and word[-2] not in "sui":
        return word[:-1]
    return word


def _has_vowel(word: str) -> bool:
    return any(char in "aeiouy" for char in word)


def _terms(chain: str) -> Iterator[Term]:
    """Yield the terms of one chain: a name is found whole or by all of its words."""
    if UNSPACED.search(chain):
        yield from _unspaced_terms(chain)
        return
    apart = _apart(chain)
    if not any(words := _folded(apart)):
        return
    whole, other = _whole(chain), _respelled(apart)
    is_letter = chain[-1] in SIGNS and len(chain.rstrip("+#")) == 1  # C is not C++, but `redis+` is redis
    ways = [() if is_letter else words, (whole,), _folded(other), (_joined(other),)]
    stems = (tuple(map(_stem, way)) for way in ways if any(way))
    yield Term(chain, whole or words[0], tuple(dict.fromkeys(stems)))


def _folded(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(word for word in dict.fromkeys(map(_fold, words)) if word)[:WORDS_OF_CHAIN]


def _unspaced_terms(chain: str) -> Iterator[Term]:
    for part in JOINTS.split(chain):
        end = 0
        for run in UNSPACED.finditer(part):
            yield from _terms(part[end : run.start()]) if run.start() > end else ()
            text = run[0][: WORDS_OF_CHAIN * 2]
            pairs = list(_pairs(text))
            yield Term(text, text, (tuple(pairs[:-1] or pairs),))
            end = run.end()
        yield from _terms(part[end:]) if part[end:] else ()
