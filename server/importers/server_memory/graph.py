"""Lines of a graph on their way into rows: an entity is knowledge, a relation stands with both of its ends."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from server.importers.reading import Entry, modified, object_of
from server.importers.rows import RowMaker
from server.importers.slugs import among, apart, plain
from server.importers.taking import Sink, Taker
from server.importers.values import Fields, Object
from server.models.imports import Finding, ImportBatch
from server.models.knowledge import Category

CATEGORIES: tuple[str, ...] = Category.__args__
LINES = 500  # of entities in one batch
DANGLING = "relations"  # the context that holds those without an entity


@dataclass
class GraphSurvey:
    """What has to be known of all lines before the first: the names, how they read as slugs, and who is related."""

    names: Counter[str] = field(default_factory=Counter[str])
    slugs: Counter[str] = field(default_factory=Counter[str])
    relations: dict[str, list[Object]] = field(default_factory=dict[str, list[Object]])
    dangling: list[Object] = field(default_factory=list[Object])


def kind_of(value: Any) -> str | None:
    """Return whether a line is an entity or a relation, if it is one."""
    found = object_of(value)
    needed = {"entity": ("name",), "relation": ("from", "to")}.get(str(found.get("type")))
    return found["type"] if needed and all(isinstance(found.get(name), str) for name in needed) else None


def of_file(taker: Taker, entry: Entry, workspace: str | None) -> Iterator[ImportBatch]:
    """Yield, in batches, what a file becomes, and first the workspace of that name if it has to be made."""
    survey = _surveyed(taker, entry)
    make = taker.maker(entry.path, modified(entry.location))
    sink = Sink(taker.workspace_id)
    if workspace is not None:
        sink.add(make.workspace(None, workspace))
    seen = Counter[str]()
    for number, value in taker.lines(entry, sink):
        found, where = object_of(value), f"line {number}"
        if kind_of(value) == "entity":
            seen[found["name"]] += 1
            entity = Fields(found, where, make.teller(sink.batch.findings))
            _add_entity(make, sink, survey, entity, seen[found["name"]])
        elif kind_of(value) is None:
            what = "neither an entity with a name nor a relation between two"
            sink.batch.findings.append(Finding("error", entry.path, where, what))
        else:
            _tell_ends(sink, survey, entry, found, where)
        if number % LINES == 0:
            yield sink.taken()
    if survey.dangling:
        owner = ("workspace", make.workspace_id)
        sink.add(make.item(owner, f"{DANGLING}: {entry.path}", {DANGLING: survey.dangling}))
    yield sink.taken()


def _surveyed(taker: Taker, entry: Entry) -> GraphSurvey:
    survey = GraphSurvey()
    relations: list[Object] = []
    for _, value in taker.lines(entry, Sink(taker.workspace_id)):
        kind, found = kind_of(value), object_of(value)
        if kind == "relation":
            relations.append({name: item for name, item in found.items() if name != "type"})
        elif kind and found["name"] not in survey.names:
            survey.names[found["name"]] += 1
            survey.slugs[plain(found["name"])] += 1
        elif kind:
            survey.names[found["name"]] += 1
    for relation in relations:
        there = [end for end in dict.fromkeys((relation["from"], relation["to"])) if end in survey.names]
        for end in there:
            survey.relations.setdefault(end, []).append(relation)
        if not there:
            survey.dangling.append(relation)
    return survey


def _tell_ends(sink: Sink, survey: GraphSurvey, entry: Entry, found: Object, where: str) -> None:
    """Tell of a relation to what is no entity, which is legal."""
    gone = [end for end in (found["from"], found["to"]) if end not in survey.names]
    if gone:
        kept = "the other end" if len(set(gone)) < len({found["from"], found["to"]}) else "the context of the workspace"
        what = f"a relation to an entity that is not there; kept with {kept}"
        sink.batch.findings.append(Finding("warning", entry.path, where, what, gone))


def _add_entity(make: RowMaker, sink: Sink, survey: GraphSurvey, entity: Fields, turn: int) -> None:
    """Add an entity. `turn` counts those of the same name: the first one has the relations."""
    entity.raw("type")
    name = entity.keep("name")
    again = () if turn == 1 else (turn,)
    if again:
        what = "an entity of that name stands above; both are kept"
        entity.teller.warn(entity.at, what, name)
    else:
        entity.raw("name")
    relations = survey.relations.get(name, []) if turn == 1 else []
    told = entity.text("entityType")
    columns: Object = {
        "slug": _slug(survey, make.path, name, turn),
        "title": " ".join(name.split()) or "(without a name)",
        "content": _content(name, entity.strings("observations"), relations),
        "category": told if told in CATEGORIES else "reference",
        "tags": [told] if told else [],
        "extra": {make.system: {"name": name, **entity.left, **({"relations": relations} if relations else {})}},
    }
    sink.add(make.row("knowledge", make.id("know", make.path, name, *again), entity.at, **columns))


def _slug(survey: GraphSurvey, path: str, name: str, turn: int) -> str:
    """Return a slug that is readable while no other name reads alike."""
    if turn > 1 or path != "memory.jsonl":
        return apart((name, turn, path), otherwise="entity")
    return among(survey.slugs, name, foreign=(turn, path), otherwise="entity")


def _content(name: str, observations: list[str], relations: list[Object]) -> str:
    parts = ["\n".join(f"- {one}" for one in observations)] if observations else []
    lines = [_line(name, one) for one in relations]
    told = [*parts, *(["## Relations\n\n" + "\n".join(lines)] if lines else [])]
    return "\n\n".join(told) or name


def _line(name: str, relation: Object) -> str:
    kind = relation.get("relationType") or "related to"
    return f"- {kind} {relation['to']}" if relation["from"] == name else f"- {relation['from']} {kind} this"
