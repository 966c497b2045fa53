"""The six verbs of the OAI-PMH provider, and its errors."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from xml.etree.ElementTree import Element, tostring

import pytest

from nearfield.catalogue import CatalogueStore
from nearfield.catalogue._store import remove
from nearfield.catalogue.serving import oai as oai_module
from nearfield.catalogue.serving.announced import Announcements, Selection
from nearfield.datasets import Access
from nearfield.testing.catalogue_contract import ALICES, BOBS, CHEMISTS, GUESTS, PUBLIC
from nearfield.testing.synthetic import synthetic_dataset

Ask = Callable[[str], Element]
O = "{http://www.openarchives.org/OAI/2.0/}"  # noqa: E741
SEED = (PUBLIC, ALICES, CHEMISTS, GUESTS, BOBS)
DC = "{http://purl.org/dc/elements/1.1/}"
D = "{http://datacite.org/schema/kernel-4}"


def identifiers(answer: Element) -> list[str]:
    return [found.text or "" for found in answer.iter(f"{O}identifier")]


def error(answer: Element) -> str | None:
    found = answer.find(f"{O}error")
    return None if found is None else found.get("code")


def restamp(store: CatalogueStore, stamps: dict[str, str]) -> None:
    """Records that changed at these times."""
    with store.writing() as connection:
        for pid, text in stamps.items():
            seconds = int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
            connection.execute("UPDATE announced SET stamp = ? WHERE pid = ?", (seconds, pid))


def test_identify(ask: Ask) -> None:
    said = {found.tag.removeprefix(O): found.text for found in ask("verb=Identify")[2]}
    assert said["repositoryName"] == "Müller & Sons' <data>"
    assert said["baseURL"] == "https://data.test/services/catalogue/oai"
    assert said["adminEmail"] == "data@data.test"
    assert (said["protocolVersion"], said["deletedRecord"]) == ("2.0", "persistent")
    assert said["granularity"] == "YYYY-MM-DDThh:mm:ssZ"


def test_only_what_is_public_is_told_of(ask: Ask, store: CatalogueStore) -> None:
    store.register(SEED)
    for verb in ("ListRecords", "ListIdentifiers"):
        answer = ask(f"verb={verb}&metadataPrefix=oai_dc")
        assert identifiers(answer) == ["oai:data.test:public-1"]
    for hidden in SEED[1:]:
        name = quote(f"oai:data.test:{hidden.pid}")
        answer = ask(f"verb=GetRecord&metadataPrefix=oai_dc&identifier={name}")
        assert error(answer) == "idDoesNotExist"
    assert "P08" not in [found.text for found in ask("verb=ListSets").iter(f"{O}setName")]


def test_what_was_there_before_the_first_serving_is_told_of(
    store: CatalogueStore, request: pytest.FixtureRequest
) -> None:
    store.register(SEED)
    answer = request.getfixturevalue("ask")("verb=ListIdentifiers&metadataPrefix=oai_dc")
    assert identifiers(answer) == ["oai:data.test:public-1"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "badVerb"),
        ("verb=", "badVerb"),
        ("verb=Nonsense", "badVerb"),
        ("verb=Identify&verb=Identify", "badVerb"),
        ("verb=Identify&x=1", "badArgument"),
        ("verb=Identify&%3Cx%3E=1", "badArgument"),
        ("verb=ListRecords", "badArgument"),
        ("verb=GetRecord&metadataPrefix=oai_dc", "badArgument"),
        ("verb=ListRecords&metadataPrefix=oai_dc&metadataPrefix=oai_dc", "badArgument"),
        ("verb=ListRecords&metadataPrefix=oai_dc&from=yesterday", "badArgument"),
        ("verb=ListRecords&metadataPrefix=oai_dc&from=2024-02-30", "badArgument"),
        ("verb=ListRecords&metadataPrefix=oai_dc&from=2024-01-01T00:00:00", "badArgument"),
        (
            "verb=ListRecords&metadataPrefix=oai_dc&from=2024-01-01&until=2024-01-02T00:00:00Z",
            "badArgument",
        ),
        ("verb=ListRecords&metadataPrefix=oai_dc&from=2024-01-02&until=2024-01-01", "badArgument"),
        ("verb=ListRecords&metadataPrefix=oai_dc&set=colour:red", "badArgument"),
        ("verb=ListRecords&metadataPrefix=oai_dc&set=instrument:~ZZ", "badArgument"),
        ("verb=ListRecords&metadataPrefix=marc", "cannotDisseminateFormat"),
        (
            "verb=GetRecord&metadataPrefix=marc&identifier=oai:data.test:public-1",
            "cannotDisseminateFormat",
        ),
        ("verb=GetRecord&metadataPrefix=oai_dc&identifier=oai:data.test:nope", "idDoesNotExist"),
        ("verb=GetRecord&metadataPrefix=oai_dc&identifier=public-1", "idDoesNotExist"),
        ("verb=ListMetadataFormats&identifier=oai:data.test:%00", "idDoesNotExist"),
        ("verb=ListRecords&metadataPrefix=oai_dc&until=2001-01-01", "noRecordsMatch"),
        ("verb=ListRecords&metadataPrefix=oai_dc&from=2999-01-01", "noRecordsMatch"),
        ("verb=ListRecords&metadataPrefix=oai_dc&set=instrument:x", "noRecordsMatch"),
        ("verb=ListRecords&resumptionToken=x&metadataPrefix=oai_dc", "badArgument"),
        ("verb=ListRecords&resumptionToken=", "badResumptionToken"),
        ("verb=ListRecords&resumptionToken=%FF%00", "badResumptionToken"),
        ("verb=ListRecords&resumptionToken=e30", "badResumptionToken"),
        ("verb=ListRecords&resumptionToken=" + "A" * 5000, "badResumptionToken"),
        ("verb=ListSets&resumptionToken=x", "badResumptionToken"),
    ],
)
def test_errors_have_the_codes_of_the_protocol(
    ask: Ask, store: CatalogueStore, query: str, code: str
) -> None:
    store.register(SEED)
    answer = ask(query)
    assert error(answer) == code
    request = answer.find(f"{O}request")
    assert request is not None
    # The protocol wants the arguments back, but not where they are what is wrong.
    assert bool(request.attrib) == (code not in ("badVerb", "badArgument"))


def test_pages_stay_in_order_while_others_write(
    ask: Ask, store: CatalogueStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(oai_module.PAGE, "ListIdentifiers", 3)
    store.register(synthetic_dataset(number) for number in range(10))
    restamp(store, {f"synthetic-{n:05d}": f"2024-01-{1 + n // 2:02d}" for n in range(10)})
    seen: list[str] = []
    query, turn = "verb=ListIdentifiers&metadataPrefix=oai_dc", 0
    while query:
        answer = ask(query)
        seen += identifiers(answer)
        token = answer.find(f".//{O}resumptionToken")
        assert token is not None
        assert token.get("cursor") == str(3 * turn)
        assert int(token.get("completeListSize") or 0) >= 10
        query = f"verb=ListIdentifiers&resumptionToken={token.text}" if token.text else ""
        turn += 1
        # One that was listed changes, one that was not changes, one comes in, one goes.
        if turn == 1:
            store.register(synthetic_dataset(n, title="new") for n in (0, 9, 10))
            with store.writing() as connection:
                remove(connection, "synthetic-00008")
    names = [name.removeprefix("oai:data.test:synthetic-") for name in seen]
    # In their order once; what changed meanwhile comes (again) at the end.
    assert names[:8] == [f"{n:05d}" for n in range(8)]
    assert sorted(names[8:]) == ["00000", "00008", "00009", "00010"]


def test_from_and_until_include_their_ends(ask: Ask, store: CatalogueStore) -> None:
    store.register(synthetic_dataset(n) for n in range(4))
    restamp(
        store,
        {
            "synthetic-00000": "2024-01-01T23:59:59",
            "synthetic-00001": "2024-01-02T00:00:00",
            "synthetic-00002": "2024-01-02T23:59:59",
            "synthetic-00003": "2024-01-03T00:00:00",
        },
    )

    def found(span: str) -> list[str]:
        answer = ask(f"verb=ListIdentifiers&metadataPrefix=oai_dc&{span}")
        return [name[-1] for name in identifiers(answer)]

    assert found("from=2024-01-02&until=2024-01-02") == ["1", "2"]
    assert found("from=2024-01-02T00:00:00Z") == ["1", "2", "3"]
    assert found("from=2024-01-01T23:59:59Z&until=2024-01-02T00:00:00Z") == ["0", "1"]


def test_what_is_taken_back_is_told_as_deleted(ask: Ask, store: CatalogueStore) -> None:
    store.register(synthetic_dataset(n) for n in range(2))
    with store.writing() as connection:
        remove(connection, "synthetic-00000")
    store.register([synthetic_dataset(1, access=Access(owner="alice"))])
    answer = ask("verb=ListRecords&metadataPrefix=oai_dc")
    headers = list(answer.iter(f"{O}header"))
    assert [header.get("status") for header in headers] == ["deleted", "deleted"]
    assert not list(answer.iter(f"{O}metadata"))
    one = ask("verb=GetRecord&metadataPrefix=oai_dc&identifier=oai:data.test:synthetic-00001")
    assert [header.get("status") for header in one.iter(f"{O}header")] == ["deleted"]
    # Public again: there again.
    store.register([synthetic_dataset(1)])
    answer = ask("verb=ListRecords&metadataPrefix=oai_dc&set=type:raw")
    assert sorted(header.get("status") or "" for header in answer.iter(f"{O}header")) == [
        "",
        "deleted",
    ]


def test_what_never_was_public_leaves_no_trace(ask: Ask, store: CatalogueStore) -> None:
    secret = synthetic_dataset(1, access=Access(owner="alice"))
    store.register([secret])
    with store.writing() as connection:
        remove(connection, secret.pid)
    assert error(ask("verb=ListRecords&metadataPrefix=oai_dc")) == "noRecordsMatch"


def test_an_embargo_counts(ask: Ask, store: CatalogueStore) -> None:
    now = datetime.now(UTC)

    def embargoed(until: datetime) -> Access:
        return Access(owner="alice", public=True, embargo_until=until)

    listing = "verb=ListIdentifiers&metadataPrefix=oai_dc"
    store.register([synthetic_dataset(1, access=embargoed(now + timedelta(days=1)))])
    assert error(ask(listing)) == "noRecordsMatch"
    # The day has come: the record opens without being written.
    with store.writing() as connection:
        connection.execute("UPDATE announced SET opens = opens - 90000")
    assert identifiers(ask(listing)) == ["oai:data.test:synthetic-00001"]
    # As long as the record itself says no, no record is given, whatever the table says.
    full = ask("verb=ListRecords&metadataPrefix=oai_dc")
    assert not list(full.iter(f"{O}metadata"))
    # One that was open and is closed again until a day is taken back.
    store.register([synthetic_dataset(2)])
    store.register([synthetic_dataset(2, access=embargoed(now + timedelta(days=1)))])
    one = ask("verb=GetRecord&metadataPrefix=oai_dc&identifier=oai:data.test:synthetic-00002")
    assert [header.get("status") for header in one.iter(f"{O}header")] == ["deleted"]


@pytest.mark.parametrize("prefix", ["oai_dc", "oai_datacite"])
def test_any_text_makes_valid_xml(ask: Ask, store: CatalogueStore, prefix: str) -> None:
    odd = "a\x00b\x0b\x1f <script>alert('&amp;')</script> ]]> \ufffe é \U0001f600"
    store.register(
        [
            synthetic_dataset(
                1,
                pid="20.500/x?y&z<1>%2F",
                title=odd,
                description=odd,
                instrument=odd,
                keywords=(odd,),
                creators=(odd,),
                facility=odd,
                techniques=(odd,),
            )
        ]
    )
    answer = ask(f"verb=ListRecords&metadataPrefix={prefix}")
    texts = [found.text for found in answer.iter() if found.text]
    clean = odd.replace("\x00", "\ufffd").replace("\x0b", "\ufffd").replace("\x1f", "\ufffd")
    assert clean.replace("\ufffe", "\ufffd") in texts
    (name,) = (found.text or "" for found in answer.iter(f"{O}identifier"))
    again = ask(f"verb=GetRecord&metadataPrefix={prefix}&identifier={quote(name)}")
    assert error(again) is None
    (spec,) = (s.text or "" for s in answer.iter(f"{O}setSpec") if (s.text or "")[:4] == "inst")
    listed = ask(f"verb=ListIdentifiers&metadataPrefix={prefix}&set={quote(spec)}")
    assert identifiers(listed) == [name]


def test_dublin_core_says_what_is_known_and_no_more(ask: Ask, store: CatalogueStore) -> None:
    store.register([SEED[0]])
    answer = ask("verb=ListRecords&metadataPrefix=oai_dc")
    said = {found.tag.removeprefix(DC): found.text for found in answer.iter() if DC in found.tag}
    assert said["title"] == "Silver behenate, calibration"
    assert said["identifier"] == "public-1"
    assert said["publisher"] == "Müller-Straße Source"
    assert said["creator"] == "Carol Example"
    assert {"rights", "description"}.isdisjoint(said)


def test_datacite_has_what_datacite_wants(ask: Ask, store: CatalogueStore) -> None:
    store.register(
        [
            synthetic_dataset(1, title=None, start_time=None),
            synthetic_dataset(
                2, doi="10.5281/zenodo.1", creators=("Doe, J.",), input_datasets=("10.5281/z.2",)
            ),
        ]
    )
    answer = ask("verb=ListRecords&metadataPrefix=oai_datacite")
    first, second = answer.iter(f"{D}resource")
    for resource in (first, second):
        for wanted in ("identifier", "creators/", "titles/", "publisher", "publicationYear"):
            path = "/".join(f"{D}{part}" if part else "*" for part in wanted.split("/"))
            assert resource.find(path) is not None, wanted
    assert first.findtext(f"{D}creators/{D}creator/{D}creatorName") == ":unav"
    assert first.findtext(f"{D}titles/{D}title") == "scan_00001.h5"
    assert first.findtext(f"{D}publicationYear") == str(datetime.now(UTC).year)
    found = second.find(f"{D}identifier")
    assert found is not None
    assert (found.text, found.get("identifierType")) == ("10.5281/zenodo.1", "DOI")
    related = second.find(f"{D}relatedIdentifiers/{D}relatedIdentifier")
    assert related is not None
    assert related.get("relationType") == "IsDerivedFrom"


@pytest.mark.parametrize(
    "until",
    ["9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-05:00", "2099-01-01T00:00:00+15:00"],
)
def test_an_embargo_for_ever_is_one(ask: Ask, store: CatalogueStore, until: str) -> None:
    """Times that SQLite cannot read were taken for none."""
    access = Access.model_validate({"owner": "ada", "public": True, "embargo_until": until})
    store.register([synthetic_dataset(1, access=access, instrument="A secret", proposal="P-1")])
    for asked in ("ListIdentifiers&metadataPrefix=oai_dc", "ListRecords&metadataPrefix=oai_dc"):
        assert error(ask(f"verb={asked}")) == "noRecordsMatch"
    assert b"secret" not in tostring(ask("verb=ListSets"))
    known = Announcements(store)
    assert (known.places(10), known.proposals(10)) == ([], [])


def test_what_an_older_nearfield_told_as_open_is_taken_back(store: CatalogueStore) -> None:
    Announcements(store)
    with store.writing() as connection:
        old = [
            (name, text.replace("coalesce", "min"))
            for name, text in connection.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' "
                " AND name LIKE 'announce%'"
            )
        ]
        for name, text in old:
            connection.execute(f"DROP TRIGGER {name}")
            connection.execute(text)
    never = datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC)
    access = Access(owner="ada", public=True, embargo_until=never)
    store.register([synthetic_dataset(1, access=access, proposal="P-1")])
    with store.reading() as connection:
        assert list(connection.execute("SELECT state FROM announced")) == [("open",)]
    known = Announcements(store)
    assert known.proposals(10) == []
    (only,), _ = known.page(Selection(), None, 10)
    assert only.deleted
    with store.reading() as connection:
        (version,) = connection.execute("PRAGMA schema_version").fetchone()
    Announcements(store)  # and is not made anew each time
    with store.reading() as connection:
        assert connection.execute("PRAGMA schema_version").fetchone() == (version,)


def test_what_is_embargoed_again_tells_nothing_new(ask: Ask, store: CatalogueStore) -> None:
    later = datetime.now(UTC) + timedelta(days=1)
    for access, instrument in (
        (Access(owner="ada", public=True), "known"),
        (Access(owner="ada", public=True, embargo_until=later), "secret"),
    ):
        store.register([synthetic_dataset(1, access=access, instrument=instrument)])
    said = tostring(ask("verb=ListSets")) + tostring(
        ask("verb=ListIdentifiers&metadataPrefix=oai_dc")
    )
    assert b"deleted" in said
    assert b"known" in said
    assert b"secret" not in said


@pytest.mark.parametrize("prefix", ["oai_dc", "oai_datacite"])
@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"])
def test_a_time_outside_of_all_years_ends_no_harvest(
    ask: Ask, store: CatalogueStore, prefix: str, time: str
) -> None:
    """What some programs write for "no time" lies before the first year in UTC."""
    store.register([synthetic_dataset(1, start_time=datetime.fromisoformat(time))])
    assert len(list(ask(f"verb=ListRecords&metadataPrefix={prefix}").iter(f"{O}record"))) == 1


def test_what_was_taken_back_without_triggers_is_told_when_they_are_back(
    store: CatalogueStore,
) -> None:
    store.register(synthetic_dataset(n) for n in range(3))
    Announcements(store)
    with store.writing() as connection:
        for name in ("announce_new", "announce_change", "announce_end"):
            connection.execute(f"DROP TRIGGER {name}")
        remove(connection, "synthetic-00000")
    store.register([synthetic_dataset(1, access=Access(owner="alice")), synthetic_dataset(5)])
    listed, _ = Announcements(store).page(Selection(), None, 10)
    assert {one.pid[-1]: one.deleted for one in listed} == {
        "0": True,
        "1": True,
        "2": False,
        "5": False,
    }
