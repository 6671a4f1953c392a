"""YAML 1.2 that other programs wrote: read as values that JSON has, and changed without losing its form.

What reads it is imported when it is first needed: it takes as long to import as half of what the server is made of.
"""

import math
from collections.abc import Callable
from io import StringIO
from typing import Any, cast

LONGEST = 4 * 1024 * 1024
DEPTH = 100
WIDTH = 1_000_000  # lines are left as long as they are


class BadYaml(ValueError):
    """It cannot be read; the message says why and where, for people."""


def parsed(text: str) -> Any:
    """Return the only document of a text. Times stay the texts that they are; aliases are refused."""
    from ruamel.yaml import YAML
    from ruamel.yaml.constructor import SafeConstructor
    from ruamel.yaml.error import YAMLError

    class Plain(SafeConstructor):
        """Takes times for text."""

    plain = cast(Any, Plain)
    plain.add_constructor("tag:yaml.org,2002:timestamp", plain.construct_yaml_str)
    if len(text) > LONGEST:
        raise BadYaml(f"it is longer than the {LONGEST} characters that are read")
    try:
        _refuse_odd(text)
        loader: Any = YAML(typ="safe", pure=True)
        loader.Constructor = Plain
        return _json(loader.load(text))
    except BadYaml:
        raise
    except (YAMLError, ValueError, RecursionError) as error:
        raise BadYaml(_problem(error)) from error


def loaded(text: str, first_line: int = 1) -> object:
    """Return the document of a text as YAML has it. `first_line` is the line that the text begins at."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return cast(Any, YAML(typ="safe", pure=True)).load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        raise BadYaml(_problem(error, first_line)) from error


def _refuse_odd(text: str) -> None:
    """Refuse aliases, which can stand for more than memory holds, and what is nested too deep."""
    from ruamel.yaml import YAML
    from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, DocumentStartEvent

    depth = documents = 0
    for event in cast(Any, YAML(typ="safe", pure=True)).parse(text):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        documents += isinstance(event, DocumentStartEvent)
        line = event.start_mark.line + 1
        if isinstance(event, AliasEvent):
            raise BadYaml(f"an alias in line {line}: aliases are not read")
        if depth > DEPTH:
            raise BadYaml(f"it is nested deeper than {DEPTH} levels in line {line}")
        if documents > 1:
            raise BadYaml(f"a second document begins in line {line}")


def _problem(error: Exception, first_line: int = 1) -> str:
    """Return what is wrong with a text, and where."""
    mark: Any = getattr(error, "problem_mark", None)
    where = f" in line {mark.line + first_line}" if mark else ""
    what = getattr(error, "problem", None)
    return f"no YAML{where}{f': {what}' if what else ''}"


def changed(text: str, change: Callable[[Any], None]) -> str:
    """Return a text with what `change` does to its value; comments, order and quotes stay."""
    from ruamel.yaml import YAML

    dumper: Any = YAML(typ="rt")
    dumper.preserve_quotes = True
    dumper.width = WIDTH
    dumper.indent(*_indents(text))
    value: Any = dumper.load(text)
    change(value)
    written = StringIO()
    dumper.dump(value, written)
    return written.getvalue()


def _indents(text: str) -> tuple[int, int, int]:
    """Return by how much a text indents mappings, lists, and the dashes of lists."""
    dashes = [line for line in text.splitlines() if line.lstrip().startswith("- ")]
    offset = min((len(line) - len(line.lstrip()) for line in dashes), default=0)
    return (2, offset + 2, offset) if offset in (0, 2) else (offset, offset + 2, offset)


def _json(value: object) -> Any:
    """Return a value as JSON has it: keys are texts."""
    if isinstance(value, dict):
        return {str(key): _json(item) for key, item in cast(dict[object, object], value).items()}
    if isinstance(value, list | set | tuple):
        return [_json(item) for item in cast(list[object], value)]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
