"""What must be known of a whole store before a part of it can be mapped: its plans, its programs, and their ties."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from graphlib import CycleError, TopologicalSorter

from server.db.dependencies.dependencies import Edge, Node, find_cycle
from server.importers.edges import acyclic, graph_of
from server.importers.layout import Known
from server.importers.legacy.tree import ARCHIVED, META, LegacyTree, LegacyWorkspace, entries, tolerant
from server.importers.reading import Entry, is_object, list_of, object_of, objects_of
from server.importers.values import Fields, Object, Teller, callable_as, moment, plain_word, text
from server.importers.vocabulary import PLAN_STATUS_NAMES, PLAN_STATUSES, STEP_STATUS_NAMES
from server.models.imports import Finding
from server.models.steps import CLOSED

STUB = "_archived"
NO_TIME = "1970-01-01T00:00:00.000Z"


@dataclass
class Header:
    """What other parts of the store need to know of a plan. `status` is the one it has, or had before the archive."""

    plan_id: str
    place: LegacyWorkspace
    folder: str
    title: str
    status: str
    archived: bool
    created_at: str
    updated_at: str
    program: str | None
    is_program: bool
    children: list[str]
    waits: list[str]
    steps: int
    phases: list[str] = field(default_factory=list[str])
    newer: "Header | None" = None

    @property
    def closed(self) -> bool:
        return self.status == "completed"


@dataclass
class Survey:
    """The store as a whole. `plans` are the newest copies by id; `folders` all copies by (workspace, folder)."""

    tree: LegacyTree
    known: Known
    plans: dict[str, Header] = field(default_factory=dict[str, Header])
    folders: dict[tuple[str, str], Header] = field(default_factory=dict[tuple[str, str], Header])
    programs: dict[str, LegacyWorkspace] = field(default_factory=dict[str, LegacyWorkspace])
    members: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    owners: dict[str, str] = field(default_factory=dict[str, str])
    edges: dict[Edge, None] = field(default_factory=dict[Edge, None])
    told: list[Edge] = field(default_factory=list[Edge])
    untied: dict[Edge, str] = field(default_factory=dict[Edge, str])
    taken: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    findings: list[Finding] = field(default_factory=list[Finding])
    order: list[LegacyWorkspace] = field(default_factory=list[LegacyWorkspace])
    metas: dict[str, Object] = field(default_factory=dict[str, Object])

    def target(self, place: LegacyWorkspace) -> str:
        return self.known.targets.get(place.workspace_id, place.workspace_id)

    def resolve(self, workspace_id: object) -> str | None:
        """Return the workspace that an id of the store, new or old, means now."""
        return self.owners.get(workspace_id) if isinstance(workspace_id, str) else None

    def time_of(self, place: LegacyWorkspace | None) -> Callable[[str, str], str | None]:
        """Return the function by which `reading.read` asks for the time of a file that was imported before."""
        return partial(self.known.time_of, self.target(place) if place else None)

    def take(self, kind: str, key: str) -> bool:
        """Reserve an id; return False for one that is taken."""
        if (kind, key) in self.taken:
            return False
        self.taken.add((kind, key))
        return True

    def later(self, place: LegacyWorkspace, other: LegacyWorkspace) -> bool:
        """Return whether `other` becomes real only after `place`."""
        return self.order.index(other) > self.order.index(place)


def surveyed(tree: LegacyTree, known: Known) -> Survey:
    """Read every plan and program of the store once, for what others need of it."""
    survey = Survey(tree, known)
    for place in tree.places:
        target = survey.target(place)
        for name in (*place.aliases, place.folder.name):
            survey.owners.setdefault(name, target)
        survey.metas[target] = object_of(tolerant(place.folder / META))
    survey.owners |= {place.workspace_id: survey.target(place) for place in tree.places}
    for place in tree.places:
        for entry in entries(place):
            if entry.odd is None:
                _look_at(survey, place, entry)
    _choose_copies(survey)
    _gather_members(survey)
    _tie_plans(survey)
    survey.order = _ordered(survey)
    return survey


def plan_folder(path: str) -> str | None:
    """Return the folder of the plan that a file of a workspace belongs to, or None."""
    parts = path.split("/")
    if parts[0] != "plans" or len(parts) < 3:
        return None
    if parts[1] != ARCHIVED:
        return "/".join(parts[:2])
    return "/".join(parts[:3]) if len(parts) > 3 else None


def _look_at(survey: Survey, place: LegacyWorkspace, entry: Entry) -> None:
    folder = plan_folder(entry.path)
    if folder and entry.path == f"{folder}/state.json":
        state = tolerant(entry.location)
        if is_object(state):
            survey.folders[place.workspace_id, folder] = header(place, folder, object_of(state))
    elif entry.path.startswith("programs/"):
        _look_at_program(survey, place, entry.path, tolerant(entry.location))


def _look_at_program(survey: Survey, place: LegacyWorkspace, path: str, found: object) -> None:
    folder, _, name = path.removeprefix("programs/").partition("/")
    if not is_object(tolerant(place.folder / "programs" / folder / "program.json")):
        return
    program_id = program_of_folder(place, folder)
    told = object_of(found)
    if name == "program.json":
        survey.programs[program_id] = place
    elif name == "manifest.json":
        members = survey.members.setdefault(program_id, [])
        members.extend(map(text, list_of(told.get("plan_ids"))))
    elif name == "dependencies.json":
        for each in map(object_of, list_of(found)):
            if not each.get("source_phase") and not each.get("target_phase"):
                source, target = text(each.get("target_plan_id")), text(each.get("source_plan_id"))
                survey.told.append((("plan", source), ("plan", target)))


def program_of_folder(place: LegacyWorkspace, folder: str) -> str:
    """Return the id of the program in a folder: its own, else the folder's name."""
    told = object_of(tolerant(place.folder / "programs" / folder / "program.json")).get("id")
    return callable_as(text(told) if told is not None and text(told).strip() else folder)


def header(place: LegacyWorkspace, folder: str, state: Object) -> Header:
    name = folder.rpartition("/")[2]
    told = state.get("id") or state.get("plan_id")
    usable = isinstance(told, str) and told.strip() and told != STUB and told == callable_as(told)
    plan_id = told if isinstance(told, str) and usable else callable_as(name)
    steps = objects_of(state.get("steps"))
    silent = Fields(state, "$", Teller("", []))
    status, archived = standing(silent, folder, steps)
    created_at = moment(state.get("created_at")) or moment(state.get("updated_at")) or NO_TIME
    program = state.get("program_id") or state.get("parent_program_id")
    return Header(
        plan_id,
        place,
        folder,
        text(state.get("title") or plan_id),
        status,
        archived,
        created_at,
        moment(state.get("updated_at")) or created_at,
        program if isinstance(program, str) else None,
        bool(state.get("is_program")),
        [text(item) for item in list_of(state.get("child_plan_ids"))],
        [text(item) for item in list_of(state.get("depends_on_plans"))],
        len(steps),
        _phase_names(state, steps),
    )


def _phase_names(state: Object, steps: list[Object]) -> list[str]:
    listed = [object_of(phase).get("name") for phase in list_of(state.get("phases"))]
    return [name for name in [*listed, *(step.get("phase") for step in steps)] if isinstance(name, str)]


def standing(plan: Fields, folder: str, steps: Iterable[Object]) -> tuple[str, bool]:
    """Return the status of a plan, or the one it had before it was archived, and whether it is archived.

    How an archived plan ended is not recorded: without an open step it counts as completed.
    """
    status = plan.choice("status", PLAN_STATUSES, PLAN_STATUS_NAMES, "active")
    archived = status == "archived" or folder.startswith(f"plans/{ARCHIVED}/")
    if status == "archived":
        plan.left.setdefault("status", plan.keep("status"))
        done = all(step_status(step.get("status")) in CLOSED for step in steps)
        status = "completed" if done else "active"
        what = "archived; it counts as completed before" if done else "archived with open steps"
        plan.teller.info(f"{plan.at}.status", what, "archived", status)
    return status, archived


def step_status(value: object) -> str:
    plain = plain_word(value)
    return STEP_STATUS_NAMES.get(plain, plain)


def _choose_copies(survey: Survey) -> None:
    """Let the copy of a plan that was changed last stand for it."""
    for found in survey.folders.values():
        other = survey.plans.get(found.plan_id)
        if found.folder == f"plans/{ARCHIVED}":
            continue
        if other is None or found.updated_at > other.updated_at:
            survey.plans[found.plan_id] = found
    for found in survey.folders.values():
        chosen = survey.plans.get(found.plan_id)
        found.newer = chosen if chosen is not found else None


def _gather_members(survey: Survey) -> None:
    """Make every v1 program one of ours, under its plan's id, and unite what it lists with what names it."""
    for plan in survey.plans.values():
        if plan.is_program and plan.plan_id not in survey.programs:
            survey.programs[plan.plan_id] = plan.place
            own = [plan.plan_id] if plan.steps else []
            survey.members.setdefault(plan.plan_id, []).extend([*own, *plan.children])
    for plan in sorted(survey.plans.values(), key=lambda found: (found.created_at, found.plan_id)):
        if plan.program in survey.programs and plan.program != plan.plan_id:
            survey.members.setdefault(plan.program, []).append(plan.plan_id)


def _ordered(survey: Survey) -> list[LegacyWorkspace]:
    """Return the workspaces so that a parent, or the owner of a program, comes before those that name it."""
    by_target = {survey.target(place): place for place in survey.tree.places}
    graph: dict[str, set[str]] = {target: set() for target in by_target}
    for target, place in by_target.items():
        parent = parent_of(survey, place)
        graph[target] |= {parent} if parent else set()
    for plan in survey.plans.values():
        owner = survey.programs.get(plan.program or "")
        if owner and owner is not plan.place:
            graph[survey.target(plan.place)].add(survey.target(owner))
    try:
        return [by_target[target] for target in TopologicalSorter(graph).static_order()]
    except CycleError:
        return list(survey.tree.places)


def parent_of(survey: Survey, place: LegacyWorkspace) -> str | None:
    """Return the parent of a workspace within the store, as its own file or the parent's tells."""
    target = survey.target(place)
    told = survey.resolve(survey.metas[target].get("parent_workspace_id"))
    if told and told != target:
        return told
    for other, meta in survey.metas.items():
        if other != target and target in map(survey.resolve, list_of(meta.get("child_workspace_ids"))):
            return other
    return None


def _tie_plans(survey: Survey) -> None:
    """Settle which plans wait for which: first by what programs say, then by what plans say; no cycles."""
    listed = [edge for edge in survey.told if edge[0][1] in survey.plans and edge[1][1] in survey.plans]
    for plan in survey.plans.values():
        source = waiting(survey, plan)
        listed += [(source, ("plan", target)) for target in plan.waits if target in survey.plans]
    fine = [edge for edge in listed if edge[0] != edge[1]]
    survey.untied = {edge: "it waits for itself" for edge in listed if edge[0] == edge[1]}
    for edge, stays in acyclic(fine):
        if stays:
            survey.edges[edge] = None
            _finish(survey.plans[edge[1][1]])
        else:
            survey.untied[edge] = "it closes a cycle"


def _finish(plan: Header) -> None:
    """Count a plan in the archive as completed when others wait for it: nobody is going to finish it there."""
    plan.status = "completed" if plan.archived else plan.status


def waiting(survey: Survey, plan: Header) -> Node:
    """Return what waits for what a plan waits for: of a program's plan it is the program, so all its plans wait."""
    is_program = plan.is_program and survey.programs.get(plan.plan_id) is plan.place
    return ("program" if is_program else "plan", plan.plan_id)


def tie(survey: Survey, edge: Edge) -> str | None:
    """Use up an edge: the source waits for the target. Return why not, if it cannot be or was said before."""
    if problem := survey.untied.get(edge):
        return problem
    if not survey.take("edge", f"{edge}"):
        return "said twice"
    if edge in survey.edges:
        return None
    survey.edges[edge] = None
    if find_cycle(graph_of(survey.edges)):
        del survey.edges[edge]
        return "it closes a cycle"
    return None
