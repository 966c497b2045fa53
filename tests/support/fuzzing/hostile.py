"""Input as somebody sends it who wants more than the site allows."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

TEXTS = [
    "",
    " ",
    "\n",
    "\0",
    "--wrap=id",
    "-p",
    "x --wrap=id",
    "2\n#SBATCH --uid=0",
    "#SBATCH --wrap=id",
    "normal\n",
    "normal\r\nx",
    "normal,high",
    "normal high",
    "$(id)",
    "`id`",
    "${HOME}",
    "; id",
    "| id",
    "&& id",
    "'\"",
    "a'b",
    "../../etc/passwd",
    "/etc/passwd",
    "%n",
    "{folder}",
    "NEARFIELD_NODE_PROGRAM",
    "\nNEARFIELD_NODE_PROGRAM\nid\n",
    "type=bind,source=/,destination=/",
    "--bind=/:/host",
    "²",
    "\uff12",
    "٢",
    "\u2028x",
    "\u202enormal",
    "\x1b[2J",
    "\ud800",
    "grp-a\n",
    "grp-ä",
    "beam-\u0661",
    "true",
    "1e9",
    "0x10",
    "1_0",
    "+2",
    " 2",
    "9" * 400,
    "x" * 70,
    "A" * 100_000,
]
VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    3,
    18,
    2.0,
    1e308,
    float("nan"),
    float("inf"),
    10**30,
    2**31,
    [],
    [2],
    ["a100", "t4"],
    {},
    {"$gt": 0},
    {"values": [1]},
    [[[[[]]]]],
    {"a": {"b": {"c": ["--wrap=id"]}}},
]
KEYS = [
    "req_runtime",
    "runtime",
    "batch_query_cmd",
    "batch_script",
    "cmd",
    "partition",
    "constraint",
    "image",
    "mounts",
    "near",
    "place",
    "values",
    "chosen",
    "task",
    "environment",
    "name",
    "user",
    "comment",
    "__class__",
    "model_fields",
    "cores ",
    "Cores",
    "dataset ",
    "",
    "\n",
    "x" * 500,
]
VALID: dict[str, list[Any]] = {
    "profile": ["open", "open", "open", "mine", "staff", "bobs"],
    "hardware": ["open", "fixed", "away"],
    "cores": [2, 4, 16, 1, 3, 18],
    "memory_mb": [1000, 2000, 1500],
    "minutes": [60, 240, 250, 300],
    "gpus": [0, 1, 2, 3],
    "gpu_type": ["a100", "t4", "h100"],
    "account": ["grp-a", "grp-physics", "grp-toolongname", "physics"],
    "qos": ["normal", "high", "low"],
    "reservation": ["beam-1", "x+2", "beam", "-9"],
    "datasets": [["p/1"], ["p/1", "p/2"], ["p/2", "p/2"], ["p/closed"], ["p/empty"], ["p/9"]],
}
"""What may be asked for, and some that comes near to it."""

QUALIFIED = [
    "cores:open:open",
    "hardware:open",
    "cores:open:fixed",
    "account:open:open",
    "reservation:open:open",
    "cores:open",
    "hardware:open:open",
    "profile:open",
    "datasets:open",
    "partition:open:open",
    "cores:open:open\n",
    "cores:$(id):open",
    "cores:open:open:open",
    ":open:open",
]

texts = st.sampled_from(TEXTS) | st.text(max_size=12)
junk = st.sampled_from(VALUES) | texts | st.lists(texts, max_size=3)


def _likely(values: list[Any]) -> st.SearchStrategy[Any]:
    """Mostly the first: so that some of all this is allowed."""
    return st.sampled_from([values[0]] * len(values) + values)


_asked = st.fixed_dictionaries(
    {"profile": _likely(VALID["profile"])},
    optional={name: _likely(values) for name, values in VALID.items() if name != "profile"},
)
_spoiled = st.dictionaries(st.sampled_from([*VALID, *KEYS]) | st.text(max_size=8), junk, max_size=2)
_beside = st.tuples(st.sampled_from(["profile", "hardware", *VALID]), texts)


def _with_tail(asked: dict[str, Any], beside: tuple[str, str]) -> dict[str, Any]:
    """Something allowed with something hostile behind it."""
    name, tail = beside
    return asked | {name: f"{asked.get(name, VALID[name][0])}{tail}"}


bodies: st.SearchStrategy[Any] = st.one_of(
    _asked,
    _asked,
    st.builds(lambda asked, spoiled: asked | spoiled, _asked, _spoiled),
    st.builds(_with_tail, _asked, _beside),
    junk,
)
"""REST bodies."""


def _as_fields(asked: dict[str, Any]) -> dict[str, list[str]]:
    return {
        name: [str(v) for v in value] if isinstance(value, list) else [str(value)]
        for name, value in asked.items()
    }


def _as_page(asked: dict[str, Any], other: str) -> dict[str, list[str]]:
    """As the page sends it: fields qualified, those of another hardware among them."""
    fields = _as_fields(asked)
    profile, hardware = fields["profile"][0], fields.pop("hardware", ["open"])[0]
    sent = {"profile": [profile], f"hardware:{profile}": [hardware], f"hardware:{other}": ["away"]}
    for name, values in fields.items():
        if name in {"profile", "datasets"}:
            sent[name] = values
        else:
            sent[f"{name}:{profile}:{hardware}"] = values
            sent[f"{name}:{other}:away"] = ["1"]
    return sent


_fields = st.dictionaries(
    st.sampled_from([*VALID, "dataset", "_xsrf", *KEYS]) | st.text(max_size=8),
    st.lists(texts, max_size=2),
    max_size=2,
)
forms: st.SearchStrategy[dict[str, list[str]]] = st.one_of(
    _asked.map(_as_fields),
    st.builds(_as_page, _asked, st.sampled_from(["mine", "open", "staff", "x", "X", ""])),
    st.builds(
        lambda asked, name, text: _as_page(asked, "mine") | {name: [text]},
        _asked,
        st.sampled_from(QUALIFIED),
        texts,
    ),
    st.builds(lambda asked, more: _as_fields(asked) | more, _asked, _fields),
    st.builds(lambda asked, beside: _as_fields(_with_tail(asked, beside)), _asked, _beside),
    st.builds(
        lambda asked, name, text: (
            _as_fields(asked) | {name: [*_as_fields(asked).get(name, []), text]}
        ),
        _asked,
        st.sampled_from(list(VALID)),
        texts,
    ),
)
"""Fields of a form or of a link."""
