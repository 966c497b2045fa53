"""The REST API of a real session: search, record, and a look at the data, as alice."""

from __future__ import annotations

import io
import json
import time
from typing import Any

import httpx
import pytest
from PIL import Image

pytestmark = pytest.mark.system


@pytest.fixture
def api(hub: Any, pids: dict[str, str]) -> Any:
    """Asks alice's server with a token of hers."""
    answer = hub.request_server("alice", {"profile": "small", "datasets": [pids["alice"]]})
    assert answer.status_code in {201, 202}, answer.text + hub.tail()
    hub.wait_ready("alice")
    token = hub.user_token("alice")
    with httpx.Client(
        base_url=f"{hub.url}/user/alice/nearfield/api/",
        headers={"Authorization": f"token {token}"},
        timeout=60,
    ) as client:
        yield client


def test_from_the_search_to_the_numbers(api: httpx.Client, hub: Any, pids: dict[str, str]) -> None:
    told = api.get("session").json()
    assert told["profile"] == "small" and told["node"] in {"na1", "na2"}
    assert 0 < told["remaining_seconds"] <= 30 * 60
    assert abs(told["ends"] - time.time() - told["remaining_seconds"]) < 60

    with api.stream(
        "GET", "datasets", params={"q": "detector stack"},
        headers={"Accept": "application/x-ndjson"},
    ) as answer:  # fmt: skip
        lines = [json.loads(line) for line in answer.iter_lines()]
    found = [one for line in lines if line["event"] == "datasets" for one in line["datasets"]]
    assert [one["pid"] for one in found] == [pids["alice"]]
    assert lines[-1]["event"] == "end" and lines[-1]["total"] == 1
    wrong = api.get("datasets", params={"q": "colour:red"})
    assert (wrong.status_code, wrong.json()["reason"], wrong.json()["position"]) == (
        400,
        "syntax",
        0,
    )

    one = api.get(f"datasets/{pids['alice']}").json()
    assert pids["alice"] in one["snippet"]
    picture = api.get(f"datasets/{pids['alice']}/thumbnail")
    assert (picture.status_code, picture.headers["Content-Type"]) == (200, "image/png")
    assert len(Image.open(io.BytesIO(picture.content)).convert("RGB").getcolors(10**6) or ()) > 1
    tree = api.get(f"datasets/{pids['alice']}/tree", params={"depth": 4}).json()
    assert tree["node"]["children"]
    [signal] = [array for array in one["arrays"] if len(array["shape"]) == 3][:1]
    part = api.get(
        f"datasets/{pids['alice']}/slice", params={"path": signal["path"], "slice": "0,0:2,0:3"}
    ).json()
    assert part["shape"] == signal["shape"]
    assert [len(row) for row in part["data"]] == [3, 3]

    # bob's: not to be found, not to be looked at, in no way.
    for tail in ("", "/files", "/related", "/thumbnail", "/tree", "/slice?path=/entry"):
        answer = api.get(f"datasets/{pids['bob']}{tail}")
        assert answer.status_code in {403, 404}, tail
        assert "session-bob" not in answer.text
    stranger = httpx.get(f"{api.base_url}datasets", timeout=30, follow_redirects=False)
    assert stranger.status_code in {302, 403}
    bobs = {"Authorization": f"token {hub.user_token('bob')}"}
    assert httpx.get(f"{api.base_url}datasets", headers=bobs, timeout=30).status_code == 403
