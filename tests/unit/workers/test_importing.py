"""What importing the cluster's code must not do."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import signal, threading
failed = []
def load():
    try:
        import nearfield.workers.starting
    except BaseException as error:
        failed.append(repr(error))
if {thread}:
    one = threading.Thread(target=load)
    one.start()
    one.join()
else:
    load()
assert not failed, failed
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
assert signal.signal.__module__ == "signal"
"""


def test_ctrl_c_stays_what_it_was() -> None:
    for thread in (False, True):
        subprocess.run([sys.executable, "-c", CODE.format(thread=thread)], check=True, timeout=120)
