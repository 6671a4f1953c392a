"""A server that kills itself with SIGKILL right after it gave a file of a project its name."""

import os
import signal

from server.__main__ import main
from server.confined.folder import OpenFolder

rename = OpenFolder.rename


def rename_and_die(self: OpenFolder, name: str, to: OpenFolder, new: str) -> None:
    rename(self, name, to, new)
    os.kill(os.getpid(), signal.SIGKILL)


OpenFolder.rename = rename_and_die
main()
