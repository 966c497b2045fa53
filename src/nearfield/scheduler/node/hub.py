"""Telling the hub the port, and how far the start is."""

import json
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from typing import Any, Dict

from nearfield.scheduler.node.processes import Signals
from nearfield.scheduler.node.session import say

REPORT_SECONDS = 60.0
STAGE_SECONDS = 5.0


def opener_for(env: Dict[str, str]) -> urllib.request.OpenerDirector:
    """http and https alone: no redirect may carry the token elsewhere, no proxy may see it."""
    context = ssl.create_default_context(cafile=env.get("JUPYTERHUB_SSL_CLIENT_CA"))
    if "JUPYTERHUB_SSL_CERTFILE" in env:
        context.load_cert_chain(env["JUPYTERHUB_SSL_CERTFILE"], env.get("JUPYTERHUB_SSL_KEYFILE"))
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=context),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def word_to_hub(url: str, env: Dict[str, str], **body: object) -> urllib.request.Request:
    """A word to the hub, with the token of this session's server."""
    return urllib.request.Request(  # noqa: S310 - the opener knows http and https only
        url,
        data=json.dumps(body).encode(),
        headers={
            "Authorization": "token " + env.get("JUPYTERHUB_API_TOKEN", ""),
            "Content-Type": "application/json",
        },
    )


def tell_stage(task: Dict[str, Any], env: Dict[str, str], stage: str) -> None:
    """Tell the hub a stage, by the side: nothing waits for it, and nothing depends on it."""
    url = task["callback_url"] or ""
    if url.endswith("/port"):
        url = url[: -len("port")] + "stage"
        threading.Thread(target=_post_stage, args=(url, dict(env), stage), daemon=True).start()


def _post_stage(url: str, env: Dict[str, str], stage: str) -> None:
    try:
        answer = opener_for(env).open(word_to_hub(url, env, stage=stage), timeout=STAGE_SECONDS)
        if answer is not None:
            answer.close()
    except Exception:
        pass  # the port report tells what is wrong, if it is still wrong then


def report(
    url: str, port: int, env: Dict[str, str], signals: Signals, child: "subprocess.Popen[bytes]"
) -> bool:
    """Tell the hub. False if it refuses or cannot be reached."""
    opener = opener_for(env)
    until, pause = time.monotonic() + REPORT_SECONDS, 0.2
    while child.poll() is None and not signals.asked:
        try:
            answer = opener.open(word_to_hub(url, env, port=port), timeout=10)
            if answer is None:
                say("the hub's address is no http(s) URL")
                return False
            answer.close()
            return True
        except urllib.error.HTTPError as error:
            why = "HTTP %d" % error.code
            error.close()
            if error.code < 500 and error.code not in (408, 429):
                say("the hub refused the port: " + why)
                return False
        except (OSError, ValueError) as error:
            why = str(getattr(error, "reason", error))
        if time.monotonic() + pause > until:
            say("the hub did not take the port within %d s: %s" % (REPORT_SECONDS, why))
            return False
        say("the hub did not take the port (%s), once more in %.1f s" % (why, pause))
        signals.sleep(pause)
        pause = min(pause * 2, 10.0)
    return True
