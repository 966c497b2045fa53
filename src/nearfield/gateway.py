"""The one program that a hub's ssh key may start on a submit host.

In ``authorized_keys`` of the gateway account, which is unprivileged and nobody's login::

    restrict,command="/opt/nearfield/bin/python -I -m nearfield.gateway" ssh-ed25519 AAAA… hub

It takes one line of standard input, and passes the rest on:

``nearfield-gateway/1 as USER``
    becomes ``sudo -n -u USER -- nearfield-launch``. Whom and what that allows, sudoers and the
    launcher decide; this program only keeps everything but a user's name out of the arguments.
``nearfield-gateway/1 query CLUSTER``
    runs one of Slurm's reading commands (:mod:`nearfield.scheduler.reading`) as this account.

A command that the client sends is refused, whatever it is: nothing it says is ever looked at.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path
from typing import NoReturn

SECONDS = 90
MAX_LINE = 200
REFUSED = 2
_FIRST = "nearfield-gateway/1"
# The same as in nearfield.scheduler: importing that takes longer than all of this.
_USER = re.compile(r"[a-z_][a-z0-9_.-]{0,31}", re.ASCII)
_CLUSTER = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}", re.ASCII)


def main() -> None:
    """Read the line and do it."""
    signal.alarm(SECONDS)
    if "SSH_ORIGINAL_COMMAND" in os.environ:
        refuse("no command is taken here")
    if len(sys.argv) > 1:
        refuse("no arguments are taken")
    first, _, rest = read_line(0).partition(" ")
    verb, _, name = rest.partition(" ")
    if first != _FIRST:
        refuse(f"the first line must begin with {_FIRST}: is the hub of the same release?")
    os.chdir("/")
    if verb == "as" and _USER.fullmatch(name):
        become_launcher(name)
    if verb == "query" and _CLUSTER.fullmatch(name):
        query(name)
        return
    refuse("the first line says neither 'as USER' nor 'query CLUSTER'")


def refuse(why: str) -> NoReturn:
    """Say so, and end."""
    sys.stderr.write(f"nearfield-gateway: refused: {why}\n")
    raise SystemExit(REFUSED)


def read_line(source: int) -> str:
    """The first line and not a byte more: the rest holds tokens, and is the launcher's to read."""
    line = b""
    while len(line) <= MAX_LINE:
        byte = os.read(source, 1)
        if byte == b"\n":
            return line.decode("ascii", "replace")
        if not byte:
            break
        line += byte
    return refuse("there is no first line")


def become_launcher(user: str) -> NoReturn:
    """sudo takes this process over. The alarm survives that; the launcher sets its own."""
    launcher = str(Path(sys.prefix) / "bin" / "nearfield-launch")
    argv = ["/usr/bin/sudo", "-n", "-u", user, "--", launcher]
    os.execve(argv[0], argv, {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"})  # noqa: S606 - argv only


def query(cluster: str) -> None:
    """Run a reading command and tell what it answered."""
    from nearfield.errors import NearfieldError
    from nearfield.scheduler import wire
    from nearfield.scheduler.reading import answer_query

    try:
        text = wire.answer(answer_query(cluster, sys.stdin.buffer.read(wire.MAX_REQUEST + 1)))
    except NearfieldError as error:
        text = wire.failure(error)
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
