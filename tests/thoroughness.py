"""How often tests repeat what they do: as often as there is time for in CI and with `--all`, less often else.

Properties draw other examples in each run, so what a usual run leaves out comes in another one.
"""

import os

IS_WHOLE = os.environ.get("TEST_THOROUGHLY") == "1"  # which scripts/test sets


def often(whole: int, usual: int) -> int:
    """Return how many examples, or what stride, a test takes."""
    return whole if IS_WHOLE else usual
