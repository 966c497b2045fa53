"""What a kernel says over the socket for worker jobs, as a program for it to run."""

from __future__ import annotations

ASK = """
import json, os, socket, sys, time

class Asking:
    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(os.environ["NEARFIELD_JOBS"])
        self.lines = self.socket.makefile("rb")

    def __call__(self, verb, **more):
        self.socket.sendall(json.dumps(dict(more, id=1, verb=verb)).encode() + b"\\n")
        answer = json.loads(self.lines.readline())
        assert answer["id"] == 1, answer
        return answer

ask = Asking()
def result(verb, **more):
    answer = ask(verb, **more)
    assert answer["ok"], answer["error"]
    return answer["result"]

def wait_for(states, *jobs, seconds=40):
    end = time.monotonic() + seconds
    while True:
        seen = result("status", jobs=list(jobs), log=20)["jobs"]
        if all(job["state"] in states for job in seen.values()):
            return seen
        assert time.monotonic() < end, seen
        time.sleep(0.2)
"""
"""``result(verb, …)`` for what works, ``ask`` for what may not, ``wait_for(states, *jobs)``."""

SCHEDULER = (
    ASK
    + """
from distributed import Client, Scheduler, SpecCluster
from distributed.security import Security

facts = result("hello", version=1)
security = Security.temporary()
scheduler = {"host": facts["address"], "protocol": "tls://", "security": security}
scheduler |= {"dashboard": False, "port": 0}
dask = SpecCluster(scheduler={"cls": Scheduler, "options": scheduler}, security=security)
client = Client(dask)
tls = {"ca": security.tls_ca_file, "cert": security.tls_worker_cert,
       "key": security.tls_worker_key}

def start(name, **more):
    return result("start", name=name, scheduler=dask.scheduler_address, python=sys.executable,
                  tls=tls, **more)["job"]
"""
)
"""The same with a Dask scheduler in the kernel: ``client``, and ``start(name)`` → job number."""
