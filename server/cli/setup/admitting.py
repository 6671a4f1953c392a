"""Tokens for entries that reach a server: made once a person has typed the code, one for each client."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from server.cli.setup.applying import apply
from server.cli.setup.editors import Scope
from server.cli.setup.looking import EditorLook, SetupJob, look
from server.cli.setup.reaching import PATH, Reach, checked
from server.errors import InvalidArguments
from server.settings import Flags, Settings

ONLY_WHERE = ("data_root",)  # of all settings, the one that says which server is meant
NEEDED = "A server elsewhere has tokens of its own: make one there with `serve token add`, and give it with --token."


@dataclass(frozen=True)
class ReachWish:
    """How a person wants the server to be reached."""

    url: str | None = None
    token: str | None = None
    variable: str | None = None


def reach_for(wish: ReachWish, scope: Scope, settings: Settings, flags: Flags) -> Reach:
    """Return how the entries are to reach the server, or refuse what cannot be."""
    if strange := sorted(set(flags) - set(ONLY_WHERE)):
        raise InvalidArguments(f"--http starts no server: give {strange[0].replace('_', '-')!r} to `serve`, not here.")
    here = _own(settings)
    reach = checked(wish.url or here, wish.token, wish.variable)
    if reach.lacks_token and reach.url != here:
        raise InvalidArguments(NEEDED)
    if scope == "project" and not reach.variable:
        raise InvalidArguments("A project's files are for others too, so no token goes there: name a --token-env.")
    return reach


def _own(settings: Settings) -> str:
    """Return the address of the server of this data root, one that does not run now too."""
    from server.cli.serving import running
    from server.web.places import identity
    from server.web.places.addresses import LOOPBACK

    if found := running.read(settings):
        return found.url + PATH
    kept = identity.kept(settings)
    return f"http://{LOOPBACK}:{kept.port if kept else identity.PORT}{PATH}"


def applied(findings: Sequence[EditorLook], job: SetupJob, settings: Settings) -> list[EditorLook]:
    """Do what the findings say, each with a token of its own where it lacks one; what fails leaves no token behind."""
    lacking = [one for one in findings if not job.removes and one.reach and one.reach.lacks_token]
    if not lacking or not job.reach:
        return [apply(one, job, settings.data_root) for one in findings]
    from server.cli.serving import admission

    made = admission.add_for(settings, [one.editor.name for one in lacking])
    done: list[EditorLook] = []
    for one in findings:
        if (token := made.get(one.editor.name)) is None:
            done.append(apply(one, job, settings.data_root))
            continue
        own = replace(job, reach=replace(job.reach, token=token.secret))
        done.append(apply(look(one.editor, own, is_named=True), own, settings.data_root))
        if done[-1].state == "failed":
            admission.take_back(settings, token.name)
    return done
