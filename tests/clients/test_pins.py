"""What the clients of other makers are installed from."""

import json
import re

import equip
import pytest


@pytest.mark.parametrize("client", equip.clients())
def test_a_client_is_pinned_to_one_version(client: str) -> None:
    file = equip.manifest(client)
    text = file.read_text(encoding="utf-8")
    if file.name == "package.json":
        versions = list(json.loads(text)["dependencies"].values())
    else:
        versions = [line.partition("==")[2] for line in text.splitlines()]

    assert versions
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions)
    assert (file.parent / f"client.{'mjs' if file.name == 'package.json' else 'py'}").is_file()


def test_at_least_three_clients_run_in_two_languages() -> None:
    assert len(equip.clients()) >= 3
    assert {equip.manifest(client).name for client in equip.clients()} == set(equip.MANIFESTS)
