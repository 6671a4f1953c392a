"""Names as people compare them. Pure: text in, the form to compare out; what is stored is what was given."""

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


def look(name: str) -> str:
    """Return what a name looks like: of two that a person cannot tell apart, one form."""
    seen = (char for char in unicodedata.normalize("NFKC", name) if unicodedata.category(char) != "Cf")
    return " ".join("".join(seen).casefold().split())


def is_reserved(name: str) -> bool:
    """Return whether a name stands for a person, so that no agent may take it."""
    return look(name) in RESERVED
