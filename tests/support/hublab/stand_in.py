"""A server that answers and does nothing, for tests with many of them.

It is what a profile runs in place of ``jupyterhub-singleuser``. The job, the spawner, the port
report and the proxy's route around it are real.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

# Plain sockets: http.server would make each of 200 servers 10 MB bigger and 0.2 s slower.
PROGRAM = r'''#!/usr/bin/python3 -IS
"""Stand-in for jupyterhub-singleuser; as batchspawner's child it reports its port itself."""
import os, signal, socket, sys
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
port = int(os.environ["JUPYTERHUB_SERVICE_URL"].split("//", 1)[1].split("/")[0].rsplit(":", 1)[1])
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("0.0.0.0", port))
server.listen(64)
if port == 0:
    import json, urllib.request
    urllib.request.urlopen(urllib.request.Request(
        os.environ["JUPYTERHUB_API_URL"] + "/batchspawner",
        json.dumps({"port": server.getsockname()[1]}).encode(),
        {"Authorization": "token " + os.environ["JUPYTERHUB_API_TOKEN"]}), timeout=30).close()
body = b'{"version": "stand-in"}'
answer = (b"HTTP/1.1 200 OK\r\nX-JupyterHub-Version: VERSION\r\nConnection: close\r\n"
          b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)) + body
while True:
    peer, _ = server.accept()
    peer.settimeout(5)
    try:
        peer.recv(65536)
        peer.sendall(answer)
    except OSError:
        pass
    peer.close()
'''


def install(cluster: Any) -> Path:
    """Put the program where all nodes have it; returns its path."""
    from importlib.metadata import version

    path = Path(cluster.site_venv).parent / "stand-in-server"
    path.write_text(PROGRAM.replace("VERSION", version("jupyterhub")))
    path.chmod(0o755)
    return path
