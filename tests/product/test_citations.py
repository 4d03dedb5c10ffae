"""BibTeX of what theorems, methods and runs rest on."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import linreg_mirror as lm
import sketching
from linreg_mirror._tools.cites import cited as keys_of
from linreg_mirror.citations import PACKAGE, citation, entries, package_entry
from linreg_mirror.citations.bibliography import address
from linreg_mirror.citations.names import of_core, of_networks
from linreg_mirror.claims import CLAIMS
from linreg_mirror.ledger.papers import PAPERS
from linreg_mirror.networks import methods
from linreg_mirror.networks.parametrizations import hadamard, power
from linreg_mirror.networks.recipes import names, read
from linreg_mirror.solvers.independent import minimum_nuclear
from linreg_mirror.theorems import REGISTRY

CHECKOUT = Path(__file__).resolve().parents[2]
PROBLEM = lm.Problem([[1, 2]], [2])
REQUIRED = {
    "article": {"author", "title", "journal", "year"},
    "inproceedings": {"author", "title", "booktitle", "year"},
    "misc": {"author", "title"},
}


def parse(text):
    """Return {key: (type, fields)}: a reader of BibTeX of its own, which takes nothing that is not well-formed."""
    found, rest = {}, re.sub(r"^%.*\n", "", text, flags=re.M)
    for match in re.finditer(r"@(\w+)\{([\w:.-]+),", rest):
        depth, end = 1, match.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(rest[end], 0)
            end += 1
        body, fields = rest[match.end() : end - 1], {}
        while body.strip(" ,\n"):
            name, level = re.match(r"[\s,]*(\w+) = \{", body), 1
            assert name, body
            start = stop = name.end()
            while level:
                level += {"{": 1, "}": -1}.get(body[stop], 0)
                stop += 1
            assert name[1] not in fields
            fields[name[1]], body = " ".join(body[start : stop - 1].split()), body[stop:]
        assert match[2] not in found, "keys are there once"
        found[match[2]] = match[1], fields
        assert re.match(r"\s*(\n@|$)", rest[end:]), "nothing between entries"
    return found


def cited(*subjects):
    return list(parse(citation(*subjects)))


BIBLIOGRAPHY = parse((CHECKOUT / "linreg_mirror" / "citations" / "references.bib").read_text(encoding="utf-8"))


@pytest.mark.parametrize("key", list(BIBLIOGRAPHY))
def test_entries_are_complete(key):
    kind, fields = BIBLIOGRAPHY[key]
    assert fields.keys() >= REQUIRED[kind] | {"year"}
    assert key.startswith(re.sub(r"[^a-z]", "", fields["author"].partition(",")[0].lower()) + fields["year"])
    assert all(", " in author or author == "others" for author in fields["author"].split(" and "))
    assert ("eprint" in fields) == ("archivePrefix" in fields)
    assert re.fullmatch(r"\d{4}\.\d{5}(v1)?|\d{4}\.\d{4}", fields.get("eprint", "2408.09966"))
    assert re.fullmatch(r"\d+--\d+", fields.get("pages", "1--2"))
    assert parse(entries()[key]) == {key: (kind, fields)}


NETWORKS = [(name, thing) for known in of_networks().values() for name, thing in known.items()]


def test_the_bibliography_is_what_is_used():
    assert entries().keys() == BIBLIOGRAPHY.keys()
    used = {key for _, thing in (*of_core(), *NETWORKS) for key in keys_of(thing)}
    assert used | {paper.key for paper in PAPERS.values() if paper.key} == BIBLIOGRAPHY.keys()


@pytest.mark.parametrize("paper", list(PAPERS))
def test_papers_of_the_ledger_are_those_of_the_bibliography(paper):
    key, said = PAPERS[paper]
    if paper == "ours":
        assert key is None
        return
    _, fields = BIBLIOGRAPHY[key]
    number = re.search(r"arXiv (\S+)$", said)
    assert fields.get("eprint") == (number[1] if number else None)
    for year in re.findall(r"\b(?:19|20)\d\d\b(?!\.)", said.partition("arXiv")[0]):
        assert fields["year"] == year
    people, _, title = said.partition(": ")
    if title:
        for person in re.sub(r" et al\.?", "", people).split(", "):
            assert person.split()[-1] in fields["author"]
        plain = re.sub(r"[{}$_]", "", fields["title"]).lower().replace(" -- ", " - ")
        assert title.partition(".")[0].lower() in plain


def test_every_theorem_and_claim_can_be_cited():
    for stated in (*REGISTRY.values(), *CLAIMS):
        (line,) = [line for line in citation(stated).splitlines() if line.startswith("%")]
        assert line.startswith(f"% {stated.id}: {stated.source.number}")
        assert cited(stated)[-1] == (PAPERS[stated.source.paper].key or PACKAGE)
        assert set(cited(stated)) <= set(cited(stated.id))


# One name of each kind.
CITED = {
    "minimum-l1": ["woodworth2020kernel", "jacobs2025mask"],
    "descent": ["even2023sgd"],
    "implicit-bias": ["even2023sgd", "papazov2024leveraging"],
    "lsoda": ["virtanen2020scipy", "petzold1983automatic"],
    "highs": ["huangfu2018parallelizing", "virtanen2020scipy"],
    "deep-linear": ["arora2018optimization"],
    "breast-cancer": ["pedregosa2011scikit"],
    "dep-l0": ["li2021dep", "louizos2018learning"],
    "lrr": ["renda2020comparing"],
    "rms-snip": ["lee2019snip"],
    "gumbel": ["kool2019stochastic", "duffield2007priority"],
    "erk": ["evci2020rigging"],
    "resnet20": ["he2016deep"],
    "fashion-mnist": ["xiao2017fashion"],
    **dict.fromkeys(("minimum-l2", "problem", "shared-hadamard", "dense", "magnitude", "top-k", "mlp", "teacher"), ()),
}


@pytest.mark.parametrize("name", CITED)
def test_names_cite_what_their_things_say(name):
    assert cited(name) == cited(name.upper().replace("-", "_")) == [PACKAGE, *CITED[name]]


def test_every_name_in_a_recipe_is_known():
    for name, thing in NETWORKS:
        assert set(cited(name)) >= {PACKAGE, *keys_of(thing)}
    assert len({name for name, _ in NETWORKS}) == len(NETWORKS), "no name has two meanings"


def test_things_say_themselves_what_they_cite():
    method = methods.create("pilot", epochs=2, alpha=1e-3, delta=1.02, K=10.0)
    assert cited(method) == [PACKAGE, "jacobs2025mask"]
    assert cited(methods.create("spred", alpha=1e-3)) == [PACKAGE, "ziyin2023spred"]
    drawn = methods.create("masked", score="snip", keep=0.1, select="gumbel", allocate="erk")
    assert cited(drawn) == [PACKAGE, "lee2019snip", "kool2019stochastic", "duffield2007priority", "evci2020rigging"]
    assert cited(methods.RigL, sketching.systematic) == [PACKAGE, "evci2020rigging", "madow1949theory"]
    assert cited(power.Power(2)) == [PACKAGE, "schwarz2021powerpropagation"]
    assert cited(hadamard.Hadamard()) == [PACKAGE, "jacobs2025mask", "woodworth2020kernel"]


def test_what_a_user_derives_cites_what_it_says():
    class Own(methods.Dense):
        cites = ("ziyin2023spred",)

    assert cited(Own()) == [PACKAGE, "ziyin2023spred"]
    Own.cites = ("nobody1900",)
    with pytest.raises(ValueError, match=r"Own cites nobody1900, which is not in .*references\.bib"):
        citation(Own())


def test_the_package_comes_first_and_agrees_with_its_other_records():
    assert cited() == [PACKAGE]
    assert citation() == package_entry()
    _, fields = parse(package_entry())[PACKAGE]
    cff = (CHECKOUT / "CITATION.cff").read_text(encoding="utf-8")
    own, *references = re.split(r"^references:|^  - type: ", cff, flags=re.M)
    setup = (CHECKOUT / "setup.cfg").read_text(encoding="utf-8")
    for name, value in (
        ("title", fields["title"]),
        ("version", fields["note"].removeprefix("Version ")),
        ("  - name", fields["author"].strip("{}")),
    ):
        assert re.search(rf"^{name}: (.*)$", own, re.M)[1] == value
    assert fields["note"] == f"Version {lm.__version__}"
    for name, value in (("name", fields["title"]), ("author", fields["author"][1:-1])):
        assert re.search(rf"^{name} = (.*)$", setup, re.M)[1] == value
    assert len(references) == 4
    for reference in references[1:]:
        number = re.search(r"arXiv:(\S+?)\"", reference)[1]
        (entry,) = [fields for _, fields in BIBLIOGRAPHY.values() if fields.get("eprint") == number]
        assert re.search(r'title: "(.*)"', reference)[1] == re.sub(r"[{}]", "", entry["title"])
        assert re.search(r"year: (\d+)", reference)[1] == entry["year"]
        people = re.findall(r"family-names: ([\w-]+), given-names: ([\w-]+)", reference)
        assert " and ".join(map(", ".join, people)) == entry["author"]


NETWORK = lm.Hadamard.from_scale(0.1, d=2)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: lm.flow(PROBLEM, NETWORK), ["jacobs2025mask", "steinebach2023rodas5p"]),
        (
            lambda: lm.flow(PROBLEM, NETWORK, integrators=["LSODA"]),
            ["jacobs2025mask", "virtanen2020scipy", "petzold1983automatic"],
        ),
        (
            lambda: lm.flow(PROBLEM, NETWORK, method="parameters", integrators=["BDF"]),
            ["jacobs2025mask", "virtanen2020scipy"],
        ),
        (lambda: lm.flow(lm.Problem([[1, 2]], [0]), NETWORK), ["jacobs2025mask"]),  # no step
        (lambda: lm.descent(PROBLEM, NETWORK, 0.05), ["even2023sgd"]),
        (lambda: lm.descent(PROBLEM, NETWORK, 0.05).implicit, ["even2023sgd", "papazov2024leveraging"]),
        (
            lambda: lm.descents(PROBLEM.X, PROBLEM.y, log_scale=np.zeros((1, 2)), step_size=0.05, steps=10),
            ["even2023sgd"],
        ),
        (lambda: lm.saddles(PROBLEM), ["pesme2023saddle"]),
        (lambda: lm.saddles(PROBLEM).solution, ["pesme2023saddle"]),
        (lambda: lm.limit(PROBLEM, NETWORK), ["jacobs2025mask"]),
        (lambda: lm.minimum_l1(PROBLEM), ["woodworth2020kernel", "jacobs2025mask"]),
        (lambda: lm.minimum_l1(PROBLEM, "highs"), ["huangfu2018parallelizing", "virtanen2020scipy"]),
        (lambda: lm.minimum_l1(PROBLEM, "cvxpy"), ["diamond2016cvxpy", "goulart2024clarabel"]),
        (lambda: minimum_nuclear(PROBLEM, (1, 2)), ["diamond2016cvxpy", "goulart2024clarabel"]),
        (lambda: lm.minimum_l2(PROBLEM), []),
        (lambda: lm.lasso(PROBLEM, 1.0), ["tibshirani1996regression", "pedregosa2011scikit", "lee2006efficient"]),
        (lambda: PROBLEM, []),
        (lambda: NETWORK, ["jacobs2025mask", "woodworth2020kernel"]),
        (lambda: lm.DeepLinear.identity(1.0, 2, 2), ["arora2018optimization"]),
    ],
)
def test_results_are_cited_by_their_solvers(make, expected):
    assert cited(make()) == [PACKAGE, *expected]


def test_names_of_theorems_and_solvers_need_no_torch():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import linreg_mirror as lm\n"
        "text = lm.citation('mirror.optimality', 'masks', 'minimum_l1', 'deep-linear', 'diabetes', 'W20')\n"
        "assert 'arora2018optimization' in text\n"
        "try: lm.citation('pilot')\n"
        "except ValueError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 'pip install "linreg-mirror[torch]"' in done.stdout


def test_groups_are_cited_with_the_numbers_of_their_theorems():
    text = citation("mirror.optimality", "masks")
    assert "% mirror.optimality: Thm 2.3\n" in text
    ids = [line.split(":")[0].removeprefix("% ") for line in text.splitlines() if line.startswith("%")]
    expected = [one for one in REGISTRY if one.startswith(("mirror.optimality", "masks."))]
    assert sorted(ids) == sorted(expected)
    assert len(parse(text)) == len(set(parse(text)))


def test_recipes_are_cited_by_their_parts():
    assert cited(read("snip-digits")) == [PACKAGE, "lee2019snip", "pedregosa2011scikit"]
    assert "renda2020comparing" in cited(read("wr-digits"))
    assert "frankle2019lottery" in cited(read("imp-digits"))
    assert cited(read("dep-l0-vgg16-cifar10"))[1:] == [
        *("li2021dep", "louizos2018learning", "simonyan2015very", "krizhevsky2009learning"),
    ]
    for name in names():
        assert cited(read(name))[0] == PACKAGE


def test_folders_of_runs_are_read(tmp_path):
    settings = {"method": {"name": "rigl"}, "model": {"name": "mine:network"}, "data": {"name": "mnist"}}
    (tmp_path / "recipe.json").write_text(json.dumps(settings), encoding="utf-8")
    assert cited(tmp_path) == [PACKAGE, "evci2020rigging", "lecun1998gradient"]
    assert cited(str(tmp_path)) == cited(tmp_path / "recipe.json") == cited(tmp_path)
    (tmp_path / "cycles" / "cycle-00").mkdir(parents=True)
    settings["iterative"] = {"rewind": "learning-rate"}
    (tmp_path / "cycles" / "cycle-00" / "recipe.json").write_text(json.dumps(settings), encoding="utf-8")
    assert cited(tmp_path / "cycles")[-1] == "renda2020comparing"


def test_reports_are_cited_by_the_theorems_that_were_evaluated(tmp_path):
    entries = [{"id": "saddles.path", "instances": 0}, {"id": "mirror.optimality", "instances": 3}]
    path = tmp_path / "report.json"
    path.write_text(json.dumps({"theorems": entries}), encoding="utf-8")
    assert cited(path) == cited(tmp_path) == [PACKAGE, "jacobs2025mask"]


def test_comparisons_are_cited_by_all_their_methods():
    keys = cited(CHECKOUT / "benchmarks" / "results" / "fashion_lenet.json")
    assert {"jacobs2025mask", "ziyin2023spred", "schwarz2021powerpropagation", "xiao2017fashion"} <= set(keys)


def test_what_is_unknown_is_refused_with_what_is_near(tmp_path):
    with pytest.raises(ValueError, match=r"'mirror\.optimalty'.*near are mirror\.optimality"):
        citation("mirror.optimalty")
    with pytest.raises(ValueError, match=r"'pilott'.*near are pilot"):
        citation("pilott")
    with pytest.raises(ValueError, match=r"groups of theorems are .*saddles"):
        citation("qqqqqqqqqqqq")
    with pytest.raises(TypeError, match=r"a list: give the result of a solver.*mirror\.optimality"):
        citation(["pilot"])
    with pytest.raises(ValueError, match=r"holds no recipe\.json and no report\.json"):
        citation(tmp_path)
    for content in ("{", "[1]", "{}", '{"theorems": [{"id": "no.such", "instances": 1}]}'):
        (tmp_path / "report.json").write_text(content, encoding="utf-8")
        with pytest.raises(ValueError, match="is no recipe, report or comparison"):
            citation(tmp_path)
    with pytest.raises(FileNotFoundError):
        citation(tmp_path / "missing.json")


def test_papers_are_where_their_entries_say():
    for paper in PAPERS.values():
        if paper.key is None:
            continue
        where = address(paper.key)
        arxiv = re.search(r"arXiv (\d{4}\.\d{4,5}(?:v\d)?)", paper.text)
        assert where == (f"https://arxiv.org/abs/{arxiv[1]}" if arxiv else where)
        assert where is None or arxiv or where.startswith("https://doi.org/10.")
    assert address("beck2003mirror") == "https://doi.org/10.1016/S0167-6377(02)00231-6"
    assert address("nobody2000nothing") is None
