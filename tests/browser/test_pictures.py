"""The pictures of the documents are made by a script, which still can."""

import re
from pathlib import Path

import pytest
import screenshots

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SERVE = screenshots.ROOT / "docs" / "serve.md"
PNG = b"\x89PNG\r\n\x1a\n"
MOST_BYTES = 500_000


async def test_the_script_takes_the_pictures_that_the_documents_show(tmp_path: Path) -> None:
    await screenshots.for_docs(tmp_path)

    shown = set(re.findall(r"\]\(pictures/(\S+?)\)", SERVE.read_text(encoding="utf-8")))
    sizes = {path.name: path.stat().st_size for path in screenshots.PICTURES.iterdir()}
    assert shown == {path.name for path in tmp_path.iterdir()} == sizes.keys()
    assert sum(sizes.values()) < MOST_BYTES
    for path in tmp_path.iterdir():
        assert path.read_bytes().startswith(PNG)
