"""Slugs of what other programs call as they like: one place makes them, whatever the layout."""

import re
from collections import Counter
from pathlib import Path

from server.importers.slugs import among, plain
from server.models.knowledge import SLUG_LENGTH

IMPORTERS = Path(__file__).parents[2] / "server" / "importers"
OF_ITS_OWN = re.compile(r"\[\^a-z0-9")  # what everything but letters and digits is replaced by
# A roadmap goes by the id that its programs make of its name.
KNOWN = {"slugs.py", "vibe_agency/places.py"}


def test_no_layout_makes_slugs_of_its_own() -> None:
    found = {
        path.relative_to(IMPORTERS).as_posix()
        for path in IMPORTERS.rglob("*.py")
        if OF_ITS_OWN.search(path.read_text(encoding="utf-8"))
    }
    assert found == KNOWN


def test_names_that_read_alike_have_slugs_of_their_own() -> None:
    names = ["max retries", "max-retries", "Max Retries!", "max_retries", "ü", "ö", "", "x" * 200, "x" * 201, "other"]
    alike = Counter(map(plain, names))
    slugs = [among(alike, name, otherwise="name") for name in names]
    assert len(set(slugs)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug) and len(slug) <= SLUG_LENGTH for slug in slugs)
    assert [slug for slug in slugs if "name" not in slug and len(slug) < len("max-retries-x-")] == [
        "max-retries",
        "other",
    ]
