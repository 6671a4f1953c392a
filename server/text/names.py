"""Names as people compare them. Pure: text in, the form to compare out; what is stored is what was given."""

import re
import unicodedata


def composed(name: str) -> str:
    """Return a name in Unicode NFC: for what programs name, such as agents and keys of facts."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def folded(name: str) -> str:
    """Return a name in Unicode NFC and without case: for what people name, such as phases, titles and templates."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


RESERVED = ("human", "user", "owner")  # what stands for a person
# Letters of other scripts that look like those of the reserved names (Cyrillic, Greek, Armenian), small and capital.
TWINS = str.maketrans(
    "\u0430\u03b1\u0435\u03b5\u043e\u03bf\u0585\u04bb\u0570\u043d\u0455\u0433\u043c\u03bc\u03c5\u057d\u0578\u03b7\u043f\u051d\u0461\u03c9\u03bd",
    "aaeeooohhhsrmmuunnnwwwn",
)
DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # no file of Windows may be called so
UNSEEN = "\u115f\u1160\u2800"  # letters and symbols that show nothing


def look(name: str) -> str:
    """Return what a name looks like: of two that a person cannot tell apart, one form."""
    shown = unicodedata.normalize("NFKC", name)
    seen = (char for char in shown if unicodedata.category(char) not in ("Cf", "Mn") and char not in UNSEEN)
    return " ".join("".join(seen).casefold().translate(TWINS).split())


def is_device(name: str) -> bool:
    """Return whether Windows takes a file of that name for a device."""
    return DEVICES.fullmatch(name) is not None


def is_reserved(name: str) -> bool:
    """Return whether a name stands for a person, so that no agent may take it."""
    return look(name) in RESERVED
