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
address = os.environ["JUPYTERHUB_SERVICE_URL"].split("//", 1)[1].split("/")[0]
port = int(address.rpartition(":")[2]) if ":" in address else 0
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
        asked = peer.recv(65536)
        peer.sendall(answer)
        if b"/do/hog " in asked.split(b"\r\n", 1)[0]:
            hog = bytearray(2000000000)
    except OSError:
        pass
    peer.close()
'''

HESITANT = r"""#!/bin/sh
# Tells the port that was chosen for it, and opens it only when the test says so.
cd "$NEARFIELD_SESSION_DIR" || exit 1
if [ ! -e chosen-port ]; then
    url=${JUPYTERHUB_SERVICE_URL#*//}; url=${url%%/*}
    echo "${url##*:}" >chosen-port.new && mv chosen-port.new chosen-port
    until [ -e go ]; do sleep 0.05; done
fi
exec "${0%/*}/stand-in-server"
"""

UNLUCKY = """#!/usr/bin/python3 -IS
# Whatever port is chosen for it, somebody has it: a process that is no child of this one.
import os, socket
port = int(os.environ["JUPYTERHUB_SERVICE_URL"].split("//", 1)[1].split("/")[0].rpartition(":")[2])
end, told = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        server = socket.socket()
        server.bind(("0.0.0.0", port))
        server.listen()
        os.write(told, b"x")
        server.accept()
    os._exit(0)
os.read(end, 1)
raise SystemExit(1)
"""


def install(cluster: Any) -> None:
    """Put the programs where all nodes have them, in the site's folder."""
    from importlib.metadata import version

    folder = Path(cluster.site_venv).parent
    texts = {
        "stand-in-server": PROGRAM.replace("VERSION", version("jupyterhub")),
        "hesitant-server": HESITANT,
        "unlucky-server": UNLUCKY,
    }
    for name, text in texts.items():
        new = folder / f"{name}.new"  # the old one may be running: replaced, not overwritten
        new.write_text(text)
        new.chmod(0o755)
        new.rename(folder / name)
