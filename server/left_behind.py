"""Processes that left the group they were started in: on Linux a mark in their environment tells whose they are.

A daemon moves into a session of its own, and whoever started it may be gone by then: no number leads to it any more.
What takes the mark out of its environment, or runs as another user, is not found.
"""

import os
import signal
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

MARK = "PROJECT_MEMORY_RUN"  # in the environment of what is run for an agent: its id
PROCESSES = Path("/proc")
CAN_TELL = hasattr(os, "pidfd_open") and hasattr(signal, "pidfd_send_signal")
ROUNDS = 5  # one that is looked for may start another one meanwhile


def end(run_ids: Collection[str]) -> int:
    """End every process that still runs for one of these and return how many that were."""
    marks = {f"{MARK}={run_id}".encode() for run_id in run_ids}
    ended = set[int]()
    for _ in range(ROUNDS if marks and CAN_TELL else 0):
        found = {pid for pid in _numbers() if pid not in ended and _is_ended(pid, marks)}
        if not found:
            break
        ended |= found
    return len(ended)


def _numbers() -> list[int]:
    with suppress(OSError):
        found = [int(path.name) for path in PROCESSES.iterdir() if path.name.isdigit()]
        return [pid for pid in found if pid != os.getpid()]
    return []


def _is_ended(pid: int, marks: Collection[bytes]) -> bool:
    """End a process that has one of the marks. Its descriptor is taken first: its number may be another's soon."""
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        found = (PROCESSES / str(pid) / "environ").read_bytes().split(b"\0")
        if set(found).isdisjoint(marks):
            return False
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except OSError:  # it is over, or another user's
        return False
    finally:
        os.close(handle)
    return True
