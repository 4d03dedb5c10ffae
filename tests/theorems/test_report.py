"""The report as JSON, HTML and table, and its pictures."""

import base64
import json
import math
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from rich.console import Console

from linreg_mirror.claims import CLAIMS, RULE
from linreg_mirror.ledger import Citation, Control, Evidence, Verdict
from linreg_mirror.ledger.groups import GROUPS, group_of
from linreg_mirror.ledger.papers import PAPERS
from linreg_mirror.theorems import REGISTRY
from linreg_mirror.verification import Finding, check
from linreg_mirror.verification import report as reports
from linreg_mirror.verification.evaluation import Record
from linreg_mirror.verification.pictures import draw_all

RUN = {"theorems": [], "instances": [], "seeds": [0], "jobs": 1, "seconds": 1.5}
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"/>'
MARKUP = "<script>alert('x')</script> & \"[bold]this[/bold]\" <b>"


@pytest.fixture(scope="module")
def findings():
    return check(instances=["planted/plain/0", "planted/geometric/0"])


@pytest.fixture(scope="module")
def report(findings):
    return reports.as_json(findings, RUN)


@pytest.fixture(scope="module")
def pictures(findings):
    return draw_all(findings)


@pytest.fixture(scope="module")
def page(report, pictures):
    return reports.as_html(report, pictures)


def made_up(*margins, error="", text="plain", verdict=Verdict.holds):
    """Return a finding with records of these margins, and with `text` wherever there is text."""
    entered = replace(
        REGISTRY["mirror.flow"],
        id="test.made_up",
        source=Citation("ours", text),
        statement=text,
        control=Control(text, "special/crossing"),
    )
    records = [Record(entered.id, f"planted/plain/{k}", False, Evidence(m, text, 0.5)) for k, m in enumerate(margins)]
    if error:
        records.append(Record(entered.id, "planted/plain/99", False, None, error))
    control = Record(entered.id, "special/crossing", True, Evidence(-1.0, text))
    return Finding(entered, verdict, tuple(records), control)


class Page(HTMLParser):
    """Every tag with its attributes, and all text; `titles`: what was written where formulas are set."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text, self.titles = [], "", []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.titles += [value for name, value in attrs if name == "title"]

    def handle_data(self, data):
        self.text += data


def rendered(renderable, width=300):
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


# JSON


def test_report_has_what_is_promised(report):
    assert [entry["id"] for entry in report["theorems"]] == list(REGISTRY)
    for entry in report["theorems"]:
        assert entry.keys() >= {
            "id", "source", "kind", "instances", "worst_margin", "repeat", "control", "verdict", "expected",
        }  # fmt: skip
        assert entry["control"].keys() >= {"description", "witness", "failed"}
        assert type(entry["control"]["failed"]) is bool
        assert entry["control"]["witness"] == REGISTRY[entry["id"]].control.witness
        assert isinstance(entry["instances"], int)
        assert entry["verdict"] in Verdict.__members__
        assert entry["expected"] == REGISTRY[entry["id"]].expected.name
        assert entry["repeat"].startswith(f"linreg-mirror check {entry['id']} --instance ")
        # The report is on two instances, which need not refute an erratum, nor meet all hypotheses.
        assert entry["partial"] is True
        assert entry["missing"] == 0
        contradicted = entry["verdict"] in {"refuted", "error"} - {entry["expected"]}
        assert entry["as_expected"] == (not contradicted and entry["control"]["failed"])
    assert report["passed"] == all(entry["as_expected"] for entry in report["theorems"])
    assert report["environment"].keys() >= {"version", "commit", "machine", "packages", "python"}
    assert report["environment"]["packages"].keys() >= {"numpy", "scipy", "cvxpy"}
    assert report["run"]["seeds"] == [0]
    assert [entry["id"] for entry in report["claims"]] == [claim.id for claim in CLAIMS]


def test_numbers_are_those_of_the_evidence():
    data = reports.as_json([made_up(0.5, 0.25, 1.0)], RUN)
    (entry,) = data["theorems"]
    assert entry["instances"] == 3
    assert entry["worst_margin"] == 0.25
    assert entry["worst_instance"] == "planted/plain/1"
    assert entry["repeat"] == "linreg-mirror check test.made_up --instance planted/plain/1"
    assert entry["tightness"] == 0.5
    assert entry["failing"] == []
    assert data["passed"] is True


def test_what_fails_is_listed_with_its_command():
    data = reports.as_json([made_up(0.5, -2.0, error="ValueError: no", verdict=Verdict.error)], RUN)
    (entry,) = data["theorems"]
    assert data["passed"] is False
    assert entry["failing"] == [
        {
            "instance": "planted/plain/1", "margin": -2.0, "error": None,
            "repeat": "linreg-mirror check test.made_up --instance planted/plain/1",
        },
        {
            "instance": "planted/plain/99", "margin": None, "error": "ValueError: no",
            "repeat": "linreg-mirror check test.made_up --instance planted/plain/99",
        },
    ]  # fmt: skip
    assert entry["worst_margin"] is None
    assert entry["detail"] == "ValueError: no"


def test_a_theorem_without_instances_has_no_margin():
    finding = made_up(verdict=Verdict.untested)
    (entry,) = reports.as_json([replace(finding, control=None)], RUN)["theorems"]
    assert entry["instances"] == 0
    assert entry["worst_margin"] is None
    assert entry["control"]["failed"] is False
    assert entry["control"]["detail"] == "not run"


@pytest.mark.parametrize("margins", [(0.5,), (math.nan,), (-math.inf, 1.0), (np.float64(0.5),)])
def test_written_json_is_valid(tmp_path, margins):
    def refuse(token):
        raise AssertionError(f"{token} is not JSON")

    holds = all(margin >= 0 for margin in margins)
    data = reports.as_json([made_up(*margins, verdict=Verdict.holds if holds else Verdict.refuted)], RUN)
    path, page = reports.write(data, tmp_path / "new" / "folder", {})
    read = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    assert path.name == "report.json"
    assert page.name == "report.html"
    assert len(read["theorems"][0]["failing"]) == sum(not margin >= 0 for margin in margins)


def test_the_whole_report_survives_json(report, pictures, tmp_path):
    data, page = reports.write(report, tmp_path, pictures)
    assert json.loads(data.read_text(encoding="utf-8")) == json.loads(json.dumps(report))
    assert page.read_text(encoding="utf-8") == reports.as_html(report, pictures)


# HTML


def test_the_page_loads_nothing(page):
    tags = Page(page).tags
    assert {tag for tag, _ in tags}.isdisjoint({"link", "iframe", "object", "embed", "base"})
    loads = [value for _, attributes in tags for name, value in attributes.items() if name in ("src", "srcset", "data")]
    assert loads
    assert all(load.startswith("data:image/svg+xml;base64,") for load in loads)
    code = "".join(re.findall(r"<(?:style|script)>(.*?)</(?:style|script)>", page, re.DOTALL))
    assert code
    for word in ("url(", "@import", "http:", "https:", "fetch", "XMLHttpRequest", "sendBeacon", "WebSocket", "import("):
        assert word not in code
    (policy,) = [attributes["content"] for tag, attributes in tags if attributes.get("http-equiv")]
    assert policy.split("; ")[:2] == ["default-src 'none'", "img-src data:"]


def test_links_lead_to_the_page_itself_or_to_papers(page):
    tags = Page(page).tags
    links = [attributes["href"] for tag, attributes in tags if tag == "a"]
    within = {attributes["id"] for _, attributes in tags if "id" in attributes}
    assert {link[1:] for link in links if link.startswith("#")} <= within
    outside = {link for link in links if not link.startswith("#")}
    assert "https://arxiv.org/abs/2408.09966" in outside
    assert all(link.startswith(("https://arxiv.org/abs/", "https://doi.org/10.")) for link in outside)


def test_the_page_has_contents_and_groups_in_the_order_of_the_ledger(page):
    tags = Page(page).tags
    headings = [attributes["id"] for tag, attributes in tags if tag == "h3"]
    groups = {group_of(id) for id in REGISTRY}
    assert headings == [f"group-{name}" for name in GROUPS]
    assert set(GROUPS) == groups
    assert headings == [attributes["href"][1:] for _, attributes in tags if "#group" in attributes.get("href", "")]


def test_the_page_opens_with_the_verdict_and_three_pictures(page, report):
    text = Page(page).text
    assert f"{'Passed' if report['passed'] else 'Not passed'}:\n{reports.summary(report)}." in text
    assert page.index(reports.summary(report)) < page.index("<img") < page.index("<nav") < page.index("<article")


def test_what_the_filter_goes_by_is_in_the_page(page, report):
    articles = [attributes for tag, attributes in Page(page).tags if tag == "article"]
    for attributes, entry in zip(articles, report["theorems"], strict=False):
        assert attributes["data-paper"] in PAPERS
        assert entry["source"].startswith(f"{attributes['data-paper']}, ") or attributes["id"] != entry["id"]
    assert {a["data-verdict"] for a in articles} == {entry["verdict"] for entry in report["theorems"]}
    options = re.findall(r"<option>([^<]*)</option>", page)
    assert set(options) == {a["data-paper"] for a in articles} | {a["data-verdict"] for a in articles}
    assert '<form id="filter" hidden>' in page  # until there is JavaScript


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", lambda entry: True),
        ("?verdict=refuted", lambda entry: entry["verdict"] == "refuted"),
        ("?paper=MM%20v1&verdict=refuted", lambda e: e["verdict"] == "refuted" and e["source"].startswith("MM v1,")),
        ("?q=Low_Rank+eigenvectors", lambda entry: "low_rank" in entry["id"] and "eigenvectors" in entry["statement"]),
    ],
)
def test_the_filter_works_in_a_browser(query, shown, page, report, tmp_path):
    (tmp_path / "report.html").write_text(page, encoding="utf-8")
    command = ("chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}")
    made = subprocess.run(
        [*command, "--dump-dom", f"{(tmp_path / 'report.html').as_uri()}{query}"],
        capture_output=True, text=True, check=True, timeout=120,
    ).stdout  # fmt: skip
    tags = Page(made).tags
    found = {attributes["id"] for tag, attributes in tags if tag == "article" and "hidden" not in attributes}
    assert found == {entry["id"] for entry in report["theorems"] if shown(entry)}
    assert f"{len(found)} of {len(REGISTRY)} shown" in made
    groups = sum(tag == "section" and attributes == {"class": "group"} for tag, attributes in tags)
    assert groups == len({group_of(id) for id in found})


def test_the_pictures_in_the_page_load_nothing_either(page):
    images = [attributes for tag, attributes in Page(page).tags if tag == "img"]
    assert len(images) == 3
    for attributes in images:
        root = ElementTree.fromstring(base64.b64decode(attributes["src"].partition(",")[2]))
        links = [value for node in root.iter() for name, value in node.attrib.items() if name.endswith("href")]
        assert all(link.startswith(("#", "data:")) for link in links)
        assert attributes["alt"]


def test_every_theorem_is_on_the_page(page):
    parsed = Page(page)
    ids = [attributes["id"] for tag, attributes in parsed.tags if tag == "article"]
    assert sorted(ids) == sorted(REGISTRY)
    for name, entered in REGISTRY.items():
        assert f"linreg-mirror check {name} --instance" in parsed.text
        assert entered.statement in parsed.titles
        assert entered.control.description in parsed.titles


def test_every_claim_is_on_the_page(page):
    parsed = Page(page)
    assert [attributes["id"] for tag, attributes in parsed.tags if tag == "tbody" and "id" in attributes] == [
        claim.id for claim in CLAIMS
    ]
    assert RULE in parsed.text
    for claim in CLAIMS:
        assert claim.statement in parsed.text
        assert claim.published in parsed.text


def test_claims_do_not_decide_whether_a_report_passes():
    data = reports.as_json([made_up(0.5)], RUN)
    assert data["passed"] is True
    assert any(entry["verdict"] != "reproduced" for entry in data["claims"])


def test_the_page_escapes_markup():
    data = reports.as_json([made_up(-1.0, text=MARKUP, verdict=Verdict.refuted)], RUN | {"theorems": [MARKUP]})
    page = reports.as_html(data, {MARKUP: SVG})
    parsed = Page(page)
    assert page.count("<script") == 1
    assert [tag for tag, _ in parsed.tags].count("script") == 1
    # source, statement, detail, control, its detail, caption; the run is shown as JSON, where quotes are escaped
    assert parsed.text.count("<script>alert(") == 7  # an apostrophe after a letter is a prime
    assert parsed.text.count(MARKUP.replace('"', '\\"')) == 1
    assert parsed.titles.count(MARKUP) == 4
    assert [attributes["alt"] for tag, attributes in parsed.tags if tag == "img"] == [MARKUP]


def test_an_error_with_markup_is_escaped():
    data = reports.as_json([made_up(error=f"ValueError: {MARKUP}", verdict=Verdict.error)], RUN)
    page = reports.as_html(data, {})
    assert page.count("<script") == 1
    assert f"ValueError: {MARKUP}" in Page(page).titles


@pytest.mark.parametrize(
    ("margins", "said"),
    [
        ((), "No instance that was tried meets the hypotheses."),
        ((0.5,), "Holds on the instance that meets the hypotheses. Closest, on planted/plain/0: plain."),
        ((0.5, 0.2), "Holds on all 2 instances that meet the hypotheses. Closest, on planted/plain/1: plain."),
        ((-0.5,), "Fails on 1 of 1 instance that meets the hypotheses. Worst, on planted/plain/0: plain."),
        ((-0.5, -0.6), "Fails on 2 of 2 instances that meet the hypotheses. Worst, on planted/plain/1: plain."),
    ],
)
def test_the_page_says_what_instances_say(margins, said):
    assert said in Page(reports.as_html(reports.as_json([made_up(*margins)], RUN), {})).text


@pytest.mark.parametrize(("verdict", "margin", "word"), [(Verdict.holds, 1.0, "good"), (Verdict.refuted, -1.0, "bad")])
def test_the_page_shows_the_outcome(verdict, margin, word):
    page = reports.as_html(reports.as_json([made_up(margin, verdict=verdict)], RUN), {})
    assert f'<span class="mark {word}">{verdict.name}' in page
    assert f'<p class="verdict {word}">' in page
    assert ("expected: holds" in page) == (word == "bad")


# Table


def test_the_table_has_a_row_for_each_theorem(report):
    table = reports.as_table(report)
    assert table.row_count == len(REGISTRY)
    assert [column.header for column in table.columns] == [
        "theorem", "source", "kind", "proof", "instances", "margin", "control", "verdict",
    ]  # fmt: skip
    lines = rendered(table).splitlines()
    for name, entered in REGISTRY.items():
        (line,) = [line for line in lines if line.split() and line.split()[0] == name]
        assert entered.kind in line
        assert str(entered.source) in line


def test_the_table_says_what_is_expected_and_what_is_not():
    erratum = made_up(-1.0, verdict=Verdict.refuted)
    erratum = replace(erratum, theorem=replace(erratum.theorem, expected=Verdict.refuted))
    untested = made_up(1.0, verdict=Verdict.untested)
    untested = replace(untested, control=replace(untested.control, evidence=Evidence(1.0, "")))
    cases = [made_up(0.5), erratum, made_up(-1.0, verdict=Verdict.refuted), untested]
    lines = [line for line in rendered(reports.as_table(reports.as_json(cases, RUN))).splitlines() if "made_up" in line]
    assert re.search(r"0\.5 +fails +holds$", lines[0].rstrip())
    assert re.search(r"-1 +fails +refuted, as expected$", lines[1].rstrip())
    assert re.search(r"-1 +fails +refuted, not expected$", lines[2].rstrip())
    assert re.search(r"1 +passes +untested, not expected$", lines[3].rstrip())


def test_the_table_shows_brackets_in_sources():
    table = reports.as_table(reports.as_json([made_up(1.0, text="Lemma [a]")], RUN))
    assert "ours, Lemma [a]" in rendered(table)


def test_summary_and_legend():
    erratum = made_up(-1.0, -2.0, verdict=Verdict.refuted)
    erratum = replace(erratum, theorem=replace(erratum.theorem, expected=Verdict.refuted))
    data = reports.as_json([made_up(0.5), erratum, made_up(-1.0, verdict=Verdict.refuted)], RUN)
    line = reports.summary(data)
    assert line.startswith("2 of 3 theorems as expected (1 printed statement refuted among them), 4 evaluations")
    assert "3 controls failed" in line
    legend = reports.legend(data)
    assert "This package" in legend
    assert "Woodworth" not in legend


# Pictures


def test_pictures_are_svg(pictures):
    assert len(pictures) == 3
    for caption, svg in pictures.items():
        root = ElementTree.fromstring(svg)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert len(list(root.iter())) > 50
        assert caption.endswith(".")


def test_pictures_need_no_findings_and_are_the_same_every_time(pictures):
    again = draw_all([])
    assert len(again) == 2
    for caption, svg in again.items():
        assert svg == pictures[caption]


# Parts of the grid


@pytest.mark.parametrize(
    ("expected", "margins", "verdict", "missing", "text"),
    [
        (Verdict.refuted, (0.5,), Verdict.holds, 0, "not refuted here"),
        (Verdict.refuted, (-0.5,), Verdict.refuted, 0, "refuted, as expected"),
        (Verdict.holds, (), Verdict.untested, 0, "does not apply here"),
        (Verdict.holds, (0.5,), Verdict.vacuous, 0, "holds here"),
        (Verdict.vacuous, (0.5,), Verdict.holds, 0, "holds here"),
        (Verdict.holds, (), Verdict.untested, 7, "incomplete"),
        (Verdict.holds, (-0.5,), Verdict.refuted, 0, "refuted, not expected"),
        (Verdict.holds, (-0.5,), Verdict.untested, 7, "untested, not expected"),
    ],
)
def test_a_part_of_the_grid_need_not_decide(expected, margins, verdict, missing, text):
    finding = made_up(*margins, verdict=verdict)
    finding = replace(finding, theorem=replace(finding.theorem, expected=expected), partial=True, missing=missing)
    if missing:
        finding = replace(finding, control=None)
    data = reports.as_json([finding, replace(made_up(0.5), partial=True)], RUN)
    entry = data["theorems"][0]
    assert entry["as_expected"] is data["passed"] is ("not expected" not in text)
    assert text in rendered(reports.as_table(data))
    assert text.removesuffix(", as expected").removesuffix(", not expected") in reports.as_html(data, {})
    if missing:
        assert reports.summary(data).endswith(f"; {missing} evaluations left to other shards")
        assert "theorems as expected" not in reports.summary(data)


def test_a_part_still_needs_its_controls():
    finding = replace(made_up(0.5), partial=True)
    passes = replace(finding.control, evidence=Evidence(1.0, ""))
    assert not replace(finding, control=passes, verdict=Verdict.untested).as_expected
    assert not replace(finding, control=None, verdict=Verdict.untested).as_expected


def test_nothing_evaluated_does_not_pass():
    data = reports.as_json([replace(made_up(verdict=Verdict.untested), partial=True)], RUN)
    assert data["theorems"][0]["as_expected"] is True
    assert data["passed"] is False


def test_errata_that_are_not_refuted_are_not_counted_as_such():
    finding = made_up(0.5)
    finding = replace(finding, theorem=replace(finding.theorem, expected=Verdict.refuted), partial=True)
    assert "printed" not in reports.summary(reports.as_json([finding], RUN))


def test_one_is_not_many():
    finding = made_up(0.5)
    assert reports.summary(reports.as_json([finding], RUN)) == (
        "1 of 1 theorem as expected, 1 evaluation, 1 control failed as it must"
    )
    shared = replace(made_up(0.5), partial=True, missing=1, control=None, verdict=Verdict.untested)
    assert reports.summary(reports.as_json([shared], RUN)) == (
        "a share of 1 theorem: nothing that is not expected so far, 1 evaluation; 1 evaluation left to other shards"
    )
