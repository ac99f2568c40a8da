"""The homework's ssh port forward, with an sshd of our own on loopback in the place of the remote machine.

A key and a configuration of its own, a free high port; nothing of the machine's ssh is used or changed.
"""

import getpass
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Final

from fixtures.errors import ServerError
from fixtures.process.command import running
from fixtures.process.port import bind_error, free_ports
from fixtures.run.measurement import not_measured

HOST: Final = "127.0.0.1"
LEARNERS: Final = "ssh -CNg -L {port}:127.0.0.1:{port} root@ssh.intern-ai.org.cn -p 38964"
"""The homework's own command; 38964 stands for the learner's own machine."""

START_TIMEOUT: Final = 15.0
"""Seconds for sshd, and for ssh to log in and listen; both take well under one."""
GRACE: Final = 2.0
SEPARATION: Final = Path("/run/sshd")
"""Where sshd, started by root, locks its unprivileged half in; Debian makes it at boot, which containers lack."""


def require_ssh() -> None:
    """Skip the test where the tunnel cannot be tried on this machine."""
    found = {"ssh": shutil.which("ssh"), "ssh-keygen": shutil.which("ssh-keygen"), "sshd": _sshd()}
    if missing := [name for name, path in found.items() if path is None]:
        not_measured("no_ssh", programs=missing)
    if os.geteuid() == 0 and not SEPARATION.is_dir():
        not_measured("no_separation", folder=str(SEPARATION))


def _sshd() -> str | None:
    return shutil.which("sshd", path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin")))


@contextmanager
def tunnel(to_port: int) -> Iterator[int]:
    """Open a local port that leads, through ssh, to a port of the "remote" machine. Both ends stop with the block.

    :raises ServerError: sshd or ssh did not start; with its log.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tunnel-")))
        key = folder / "key"  # of both ends
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)],
            check=True, stdin=subprocess.DEVNULL, timeout=START_TIMEOUT,
        )  # fmt: skip
        remote, local = free_ports(HOST, 2)
        public = key.with_suffix(".pub").read_text()
        (folder / "authorized_keys").write_text(public)
        (folder / "known_hosts").write_text(f"[{HOST}]:{remote} {public}")
        (folder / "sshd_config").write_text(
            f"ListenAddress {HOST}\nPort {remote}\nHostKey {key}\nPidFile none\n"
            f"AuthorizedKeysFile {folder / 'authorized_keys'}\nStrictModes no\nPasswordAuthentication no\n"
            "KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nAllowTcpForwarding local\n"
        )
        daemon = [str(_sshd()), "-D", "-e", "-f", str(folder / "sshd_config")]
        stack.enter_context(_listening(daemon, remote, folder / "sshd.log"))
        # Not -g as the homework's: that opens the forward to the network.
        client = [
            "ssh", "-F", "none", "-CN", "-L", f"{HOST}:{local}:{HOST}:{to_port}", "-p", str(remote),
            "-i", str(key), "-o", "IdentitiesOnly=yes",
            "-o", f"UserKnownHostsFile={folder / 'known_hosts'}",
            "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", "ExitOnForwardFailure=yes",
            f"{getpass.getuser()}@{HOST}",
        ]  # fmt: skip
        stack.enter_context(_listening(client, local, folder / "ssh.log"))
        yield local


def _listening(argv: Sequence[str], port: int, log: Path) -> AbstractContextManager[None]:
    return running(
        argv,
        log=log,
        ready=lambda: bind_error(HOST, port) is not None,
        timeout=START_TIMEOUT,
        grace=GRACE,
        not_ready=lambda how, end: ServerError(
            "tunnel_not_ready", where=f"{HOST}:{port}", detail=end, program=Path(argv[0]).name, how=how
        ),
    )
