"""Ports: a free one, and whose socket listens on it."""

import errno
import os
import socket
from typing import List, Tuple

from nearfield.scheduler.node.processes import family_of


def free_port(address: str) -> int:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
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
            return error.errno == errno.EADDRINUSE
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
