"""The form says sizes as people do, and no name becomes markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest

from nearfield.config import Hardware, parse_config
from nearfield.datasets import Principal
from nearfield.errors import UnknownNameError
from nearfield_spawners.amounts import describe, duration
from nearfield_spawners.form import options_form
from nearfield_spawners.form_fields import from_form
from nearfield_spawners.options import parse_options
from nearfield_spawners.refusal import refusal


@pytest.mark.parametrize(
    ("hardware", "text"),
    [
        (Hardware(cores=1, memory_mb=2048, minutes=480), "1 core, 2 GiB, 8 h"),
        (Hardware(cores=4, memory_mb=8000, minutes=90), "4 cores, 7.81 GiB, 1 h 30 min"),
        (Hardware(minutes=30, gpus=2), "1 core, 2 GiB, 30 min, 2 GPUs"),
    ],
)
def test_sizes(hardware: Hardware, text: str) -> None:
    assert describe(hardware) == text


@pytest.mark.parametrize(
    ("minutes", "text"), [(0, "0 min"), (47 * 60, "47 h"), (76 * 60, "3 d 4 h")]
)
def test_times(minutes: int, text: str) -> None:
    assert duration(minutes) == text


def form(
    text: str,
    asked: dict[str, object] | None = None,
    link: dict[str, object] | None = None,
    **more: object,
) -> str:
    spawner = SimpleNamespace(
        site=parse_config(text),
        principal=Principal(name="alice"),
        user_options=asked,
        handler=SimpleNamespace(preselected=link),
        **more,
    )
    return options_form(spawner)


class Fields(HTMLParser):
    """What a browser without JavaScript would post, and every tag that there is."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.posted: dict[str, list[str]] = {}
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.inputs: dict[str, dict[str, str | None]] = {}
        self._select = self._textarea = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        self.attributes |= set(given)
        name, value = given.get("name") or "", given.get("value") or ""
        if tag in {"input", "select", "textarea"} and name:
            self.inputs[name] = given
        if tag == "input" and name and (given.get("type") != "radio" or "checked" in given):
            self.posted.setdefault(name, []).append(value)
        elif tag == "select":
            self._select = name
        elif tag == "option" and "selected" in given:
            self.posted.setdefault(self._select, []).append(value)
        elif tag == "textarea":
            self._textarea = name

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.posted.setdefault(self._textarea, []).append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._textarea = ""


def test_titles_are_escaped_and_only_own_profiles_are_offered() -> None:
    shown = form(
        "profiles:\n"
        "  mine: {title: '<script>x</script>', environment: default, hardware: local}\n"
        "  theirs: {environment: default, hardware: local, users: [bob]}\n"
    )
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert 'value="mine" checked' in shown
    assert "theirs" not in shown


def test_nothing_to_offer() -> None:
    shown = form("profiles:\n  p: {environment: default, hardware: local, users: [bob]}\n")
    assert "No profile is open to you" in shown


def test_what_was_asked_for_is_still_there_after_a_refusal() -> None:
    shown = form(
        "profiles:\n"
        "  one: {environment: default, hardware: local}\n"
        "  two: {environment: default, hardware: local}\n",
        {"profile": "two", "datasets": ["a</textarea>", "b"]},
    )
    assert 'value="two" checked' in shown
    assert "a&lt;/textarea&gt;\nb</textarea>" in shown


def test_a_refusal_reads_as_sentences() -> None:
    error = refusal(UnknownNameError("profile", "smal", ["small"]))
    assert str(error).startswith("unknown profile 'smal'. Did you mean 'small'?")
    assert (error.status_code, error.reason) == (400, "options")


HOSTILE = r"""
environments:
  e:
    title: "\"><img src=x onerror=alert(1)>"
    techniques: ["a' onclick='x", "b\" onclick=\"x", "</div><script>"]
hardware:
  h:
    title: "</label><script>alert(2)</script>"
    cluster: local
    choices: {account: {pattern: "</div><script>.*"}}
profiles:
  p: {description: "{{ 7 * 7 }}<b>", environment: e, hardware: h}
"""


def test_hostile_titles_and_pids_stay_text() -> None:
    hostile = {
        "profile": "p",
        "datasets": ["</textarea><script>", "{{1}}"],
        "account": '"><script>',
    }
    for fields in (
        Fields(form(HOSTILE, hostile)),
        Fields(form(HOSTILE, link=hostile)),
        Fields(form(HOSTILE, link={"profile": "<script>"})),
    ):
        # The page's own script is the only one, and there is no element of theirs.
        assert fields.tags.count("script") <= 1
        assert not {"img", "b"} & set(fields.tags)
        assert not {name for name in fields.attributes if name.startswith("on")}
    assert "49" not in form(HOSTILE)


OPEN = """
hardware:
  small: {cluster: local, cores: 2, memory_mb: 2048, minutes: 60, choices: {cores: [1, 2, 4]}}
  large:
    cluster: local
    cores: 8
    memory_mb: 16384
    choices:
      cores: {least: 4, most: 16, step: 4}
      memory_mb: {least: 8192, most: 65536}
      account: {pattern: "p[0-9]+"}
      qos: [fast, slow]
profiles:
  one: {environment: default, hardware: [small, large]}
  two: {environment: default, hardware: small}
"""


def test_what_is_posted_as_it_stands_is_the_defaults() -> None:
    fields = Fields(form(OPEN))
    options = parse_options(from_form(fields.posted))
    assert (options.profile, options.hardware) == ("one", "small")
    assert options.values == {"cores": 2}


def test_choices_are_plain_inputs_with_words() -> None:
    shown = form(OPEN)
    fields = Fields(shown)
    number = fields.inputs["memory_mb:one:large"]
    assert (number["type"], number["data-least"], number["data-most"]) == (
        "number",
        "8192",
        "65536",
    )
    assert "8 GiB to 64 GiB" in shown
    assert "4 to 16, in steps of 4" in shown
    assert "Must match p[0-9]+" in shown
    # A word without a default may be left out.
    assert fields.posted["qos:one:large"] == [""]
    assert "cores:two:small" in fields.inputs and "cores:two:large" not in fields.inputs


class Holders(HTMLParser):
    """Within which profile's card each field is, as a browser without styles shows it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.of: dict[str, str] = {}
        self._within: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "div":
            own = given.get("data-profile") if given.get("class") == "nf-card" else None
            self._within.append(own or (self._within[-1] if self._within else ""))
        if name := given.get("name"):
            self.of[name] = self._within[-1]

    def handle_endtag(self, tag: str) -> None:
        if tag == "div":
            self._within.pop()


def test_each_profile_holds_its_own_hardware() -> None:
    holders = Holders(form(OPEN)).of
    qualified = {name: holder for name, holder in holders.items() if ":" in name}
    assert {"hardware:one", "hardware:two", "memory_mb:one:large", "cores:two:small"} <= {
        *qualified
    }
    assert all(name.split(":")[1] == holder for name, holder in qualified.items())
    assert 'aria-label="Hardware of two"' in form(OPEN)


def test_what_was_asked_comes_back_where_it_is_allowed() -> None:
    asked = {"profile": "one", "hardware": "large", "cores": 12, "memory_mb": 7, "account": "p1"}
    posted = Fields(form(OPEN, asked)).posted
    assert from_form(posted) == {**asked, "memory_mb": 16384}
    # Of one hardware nothing goes to the other.
    assert posted["cores:one:small"] == ["2"]


def test_a_link_preselects_and_forgets_the_last_choice() -> None:
    last = {"profile": "one", "hardware": "large", "datasets": ["old-1"]}
    fields = Fields(form(OPEN, last, link={"profile": "two", "datasets": ["new-1"]}))
    assert from_form(fields.posted)["profile"] == "two"
    assert fields.posted["datasets"] == ["new-1"]


@pytest.mark.parametrize(
    ("link", "text"),
    [
        ({"profile": "three"}, "asks for profile &#39;three&#39;"),
        ({"runtime": ["x"]}, "runtime: unknown option"),
        ({"cores": "many"}, "does not fit"),
    ],
)
def test_a_link_that_does_not_fit_says_so(link: dict[str, object], text: str) -> None:
    shown = form(OPEN, link=link)
    assert text in shown
    assert from_form(Fields(shown).posted)["profile"] == "one"


def test_how_the_last_session_ended_is_at_the_top() -> None:
    ending = SimpleNamespace(sentence="Node <na1> failed; start again.", log="the <end>")
    shown = form(OPEN, last_ending=ending)
    assert "Node &lt;na1&gt; failed" in shown
    assert "the &lt;end&gt;" in shown
    assert "The last session ended." in shown
    assert shown.index("start again") < shown.index("Data</legend>")
    assert "The last session" not in form(OPEN, last_ending=None)


def test_the_page_is_told_whose_form_it_is_and_whether_a_profile_was_named() -> None:
    user = SimpleNamespace(name="b<ob")
    assert 'data-user="b&lt;ob"' in form(OPEN, user=user)
    assert 'data-server=""' in form(OPEN)
    assert 'data-server="tw&lt;o"' in form(OPEN, name="tw<o")
    assert 'data-named=""' in form(OPEN, link={"datasets": ["d-1"]})
    assert 'data-named="yes"' in form(OPEN, link={"profile": "two"})
    assert 'data-named="yes"' in form(OPEN, {"profile": "two"})


@pytest.mark.parametrize(
    ("link", "told"),
    [({"profile": "one"}, ""), ({"hardware": "small"}, "yes"), ({"cores": 2}, "yes")],
)
def test_the_page_is_told_whether_a_hardware_was_asked_for(
    link: dict[str, object], told: str
) -> None:
    assert f'data-sized="{told}"' in form(OPEN, link=link)


def test_what_changes_while_somebody_fills_in_the_form_is_announced() -> None:
    shown = form(OPEN)
    for name in ("nf-status", "nf-fit", "nf-plan", "nf-notes"):
        [tag] = re.findall(rf'<[^>]*\bid="{name}"[^>]*>', shown)
        assert 'aria-live="polite"' in tag
