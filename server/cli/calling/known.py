"""The commands that there are, for a shell that completes them."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

from typer.main import get_command

from server.cli.app import app
from server.completion.candidates import Candidate


def of_command(words: Sequence[str], typed: str) -> Iterator[Candidate]:
    """Yield commands, their options, and words that they take."""
    here = cast(Any, get_command(app))
    for word in words:
        here = getattr(here, "commands", {}).get(word, here)
    inner: dict[str, Any] = getattr(here, "commands", {})
    if typed.startswith("-"):
        for param in here.params:
            names = [name for name in param.opts if param.param_type_name == "option" and name.startswith("--")]
            yield from (Candidate(name, param.help or "") for name in names)
        yield Candidate("--help", "show what it does")
    else:
        yield from (Candidate(name, _first_line(one.help)) for name, one in inner.items() if not one.hidden)


def _first_line(text: str | None) -> str:
    return (text or "").partition("\n")[0]
