"""Opens a terminal as the entry points do, tells whether this process forked, and dies of SIGKILL in the middle."""

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from fixtures.lmdeploy.commands import Command
from tests.acceptance.entry_points.terminal import terminal

forks: list[str] = []
sys.addaudithook(lambda event, _: forks.append(event) if event in ("os.fork", "os.forkpty") else None)
program = Path(__file__).parent / "terminal_chat.py"
chat = Command(argv=(sys.executable, str(program), "busy"), shown=("lmdeploy", "chat"))
with terminal(chat, 30.0) as opened:
    print(opened.process.pid, *forks, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
