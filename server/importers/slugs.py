"""Slugs of knowledge for what other programs call as they like."""

import re
from collections.abc import Mapping, Sequence

from server.importers.values import derived, text
from server.models.knowledge import SLUG_LENGTH

NO_SLUG = re.compile(r"[^a-z0-9]+")
ENDING = 20  # characters of a slug that tell equal ones apart


def among(alike: Mapping[str, int], *parts: str, foreign: Sequence[object] = (), otherwise: str) -> str:
    """Return the slug of a thing among others: readable while no other one reads alike.

    `alike` says how many of them read the same (`plain`), `foreign` is what tells this one apart besides its parts. Of
    several that read alike, the one that is called just so keeps the readable slug.
    """
    told = plain(*parts)
    if alike[told] > 1 and told != "-".join(parts):
        return apart((*parts, *foreign), otherwise=otherwise)
    short = told[:SLUG_LENGTH].strip("-")
    return told if short == told and told else apart(parts, otherwise=otherwise)


def apart(parts: Sequence[object], *, otherwise: str) -> str:
    """Return a slug that no other parts give, though they read alike."""
    told = plain(*parts)
    return f"{told[: SLUG_LENGTH - ENDING].strip('-') or otherwise}-{derived('x', *parts).replace('_', '-')}"


def plain(*parts: object) -> str:
    """Return the letters and digits of parts, with dashes for all else."""
    return NO_SLUG.sub("-", "-".join(map(text, parts)).lower()).strip("-")
