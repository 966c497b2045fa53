"""Addresses and ports: where to listen, a free one, and whose socket listens on it."""

import errno
import os
import random
import socket
from typing import Any, Collection, List, Optional, Tuple

from nearfield.scheduler.node.processes import family_of
from nearfield.scheduler.node.session import NotStarted

ANYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to
"""Addresses that mean all of a host's own."""


def own_address(bind: str) -> str:
    """The address to listen on: as it is, or what a name with ``{node}`` in it resolves to here."""
    if "{node}" not in bind:
        return bind
    name = bind.replace("{node}", os.environ.get("SLURMD_NODENAME") or socket.gethostname())
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise NotStarted("port", "%s is no address on this node: %s" % (name, error)) from None
    return str(found[0][4][0])


def free_port(
    address: str, ports: Optional[Collection[Any]] = None, tried: Collection[int] = ()
) -> int:
    """A port that nobody listens on now: of ``ports``, the first and the last, or any."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        if ports is None:
            return _any_port(family, address)
        least, most = ports
        # At random, so that sessions which start at the same moment seldom meet.
        for port in random.sample(range(least, most + 1), most + 1 - least):
            if port not in tried and not listeners(port) and not taken(address, port):
                return port
    except OSError as error:
        where = "%s on %s" % (address, socket.gethostname())
        raise NotStarted("port", "cannot listen at %s: %s" % (where, error.strerror)) from None
    where = "%d-%d on %s" % (least, most, socket.gethostname())
    raise NotStarted("port", "no free port in " + where)


def _any_port(family: int, address: str) -> int:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def taken(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return True
    return False


def listeners(port: int) -> List[Tuple[int, str]]:
    """(uid, inode) of every socket that listens on ``port`` in this network."""
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table) as file:
                lines = file.read().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            field = line.split()
            if field[3] == "0A" and int(field[1].rsplit(":", 1)[1], 16) == port:
                found.append((int(field[7]), field[9]))
    return found


def is_ours(port: int, child: int) -> bool:
    """Does the server itself listen on ``port``, and nobody else?

    On a shared node another account could open the port first and receive the session's cookies.
    """
    found = listeners(port)
    if not found or any(uid != os.getuid() for uid, _ in found):
        return False
    wanted = {"socket:[%s]" % inode for _, inode in found}
    unreadable = False
    for pid in family_of([child]):
        try:
            for fd in os.listdir("/proc/%d/fd" % pid):
                try:
                    if os.readlink("/proc/%d/fd/%s" % (pid, fd)) in wanted:
                        return True
                except OSError:
                    continue
        except FileNotFoundError:
            continue
        except OSError:
            unreadable = True  # a setuid starter hides its descriptors: the uid must do
    return unreadable
