"""The conformance suite of the protocol against the server over HTTP, but for what the baseline says, and why."""

import asyncio
import os
import re
from pathlib import Path

import equip
import pytest

from server.settings import Settings
from tests.served import serve

BASELINE = Path(__file__).with_name("expected-failures.yml")
SECONDS = 300
IN_CI = os.environ.get("CI", "") not in ("", "0", "false")
SUITES = [name for name in equip.SUITES if equip.is_ready(name) or not IN_CI]


@pytest.mark.browser
@pytest.mark.parametrize("suite", SUITES)
async def test_the_server_conforms_but_for_what_the_baseline_says(
    settings: Settings, suite: str, tmp_path: Path
) -> None:
    assert equip.is_ready(suite), f"{suite} is not installed: ./scripts/test --browser does it"
    async with serve(settings) as served:
        arguments = ["server", "--url", f"{served.url}/mcp", "--suite", "all", "--output-dir", str(tmp_path / "out")]
        process = await asyncio.create_subprocess_exec(
            *equip.command(suite),
            *arguments,
            "--expected-failures",
            str(BASELINE),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "TOKEN": await served.token()},
        )
        try:
            out, _ = await asyncio.wait_for(process.communicate(), SECONDS)
        finally:
            if process.returncode is None:
                process.kill()
    said = out.decode(errors="replace")

    assert process.returncode == 0, said[-4000:]
    assert "✓ tools-list" in said
    assert "✓ server-initialize" in said


def test_each_entry_of_the_baseline_has_a_reason() -> None:
    entries = [line for line in BASELINE.read_text(encoding="utf-8").splitlines() if line.startswith("  - ")]

    assert entries
    assert [line for line in entries if not re.fullmatch(r"  - [\w-]+  # .{8,}", line)] == []
