"""Code in a kernel of somebody's server, as a browser would run it."""

from __future__ import annotations

import json
from urllib.parse import urlparse

import httpx
import websocket


def execute(url: str, user: str, token: str, code: str, seconds: float = 60) -> str:
    """Run ``code`` in a fresh kernel of the user's server; returns what it printed."""
    base = f"{url}/user/{user}/api/kernels"
    headers = {"Authorization": f"token {token}"}
    made = httpx.post(base, headers=headers, json={"name": "python3"}, timeout=30)
    assert made.status_code == 201, made.text
    kernel = made.json()["id"]
    socket_url = f"ws://{urlparse(base).netloc}/user/{user}/api/kernels/{kernel}/channels"
    channel = websocket.create_connection(
        socket_url, header=[f"Authorization: token {token}"], timeout=seconds
    )
    try:
        message = {
            "header": {
                "msg_id": "m1",
                "username": user,
                "session": "s",
                "msg_type": "execute_request",
                "version": "5.3",
            },
            "parent_header": {},
            "metadata": {},
            "channel": "shell",
            "content": {
                "code": code,
                "silent": False,
                "store_history": False,
                "user_expressions": {},
                "allow_stdin": False,
                "stop_on_error": True,
            },
        }
        channel.send(json.dumps(message))
        printed = ""
        while True:
            heard = json.loads(channel.recv())
            if heard["parent_header"].get("msg_id") != "m1":
                continue
            kind, content = heard["header"]["msg_type"], heard["content"]
            if kind == "stream":
                printed += content["text"]
            elif kind == "error":
                raise AssertionError("\n".join(content["traceback"]))
            elif kind == "status" and content["execution_state"] == "idle":
                return printed
    finally:
        channel.close()
        httpx.delete(f"{base}/{kernel}", headers=headers, timeout=30)
