"""Results are stale where the code that they rest on has changed, and nowhere else."""

import pytest

from linreg_mirror.runtime import sources
from linreg_mirror.theorems import REGISTRY

TREE = {
    "linreg_mirror/__init__.py": "from linreg_mirror.far import everything",
    "linreg_mirror/far.py": "everything = 1",
    "linreg_mirror/a.py": """
"Words."
from linreg_mirror.room import thing
def f():
    from sketching import masks
    return thing
""",
    "linreg_mirror/room/__init__.py": """
from linreg_mirror.room.c import thing
from linreg_mirror.room.d import other
""",
    "linreg_mirror/room/c.py": "from linreg_mirror.room.e import base\nthing = base",
    "linreg_mirror/room/d.py": "other = 2",
    "linreg_mirror/room/e.py": "base = 3",
    "sketching/__init__.py": "",
    "sketching/masks.py": "m = 1",
}


def forget():
    for name in ("fingerprint", "_imported", "_home", "_file", "_source"):
        getattr(sources, name).cache_clear()


@pytest.fixture
def changed(tmp_path, monkeypatch):
    """The fingerprint of a.py after some files have been written anew."""
    monkeypatch.setattr(sources, "_HERE", tmp_path)

    def fingerprint(**files):
        for name, text in {**TREE, **{f"{name.replace('__', '/')}.py": text for name, text in files.items()}}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        forget()
        return sources.fingerprint(frozenset(["linreg_mirror.a"]))

    yield fingerprint
    forget()


def test_what_is_used_counts_wherever_it_comes_from(changed):
    seen = {
        changed(),
        changed(linreg_mirror__a=TREE["linreg_mirror/a.py"] + "x = 1\n"),
        changed(linreg_mirror__room__c="from linreg_mirror.room.e import base\nthing = -base\n"),
        changed(linreg_mirror__room__e="base = 4\n"),
        changed(sketching__masks="m = 2\n"),
    }
    assert len(seen) == 5


def test_nothing_else_counts(changed):
    before = changed()
    assert changed(linreg_mirror__room__d="other = 5\n") == before
    assert changed(linreg_mirror__far="everything = 5\n") == before
    assert changed(linreg_mirror__room__e="base = (\n    3  # as before\n)\n") == before
    assert changed(linreg_mirror__a=TREE["linreg_mirror/a.py"].replace("Words", "Other words")) == before


def test_an_optional_package_counts_by_whether_it_is_there(changed, monkeypatch):
    asks = TREE["linreg_mirror/a.py"] + 'from importlib.util import find_spec\nhas = find_spec("torch") is not None\n'
    seen = {changed(linreg_mirror__a=asks), changed()}
    monkeypatch.setattr(sources, "find_spec", lambda name: None)
    assert changed() in seen
    assert changed(linreg_mirror__a=asks) not in seen


def test_a_module_from_elsewhere_counts_with_what_it_imports(changed):
    changed()
    theirs = "from linreg_mirror.room import other\nx = other\n"
    of = {text: sources.fingerprint(frozenset(["mine"]), (("mine", text),)) for text in (theirs, theirs + "y = 1\n")}
    assert len(set(of.values())) == 2
    changed(linreg_mirror__room__d="other = 5\n")
    assert sources.fingerprint(frozenset(["mine"]), (("mine", theirs),)) != of[theirs]


def reached(modules):
    """Return these modules and all that they import, directly or not."""
    found, left = set(), list(modules)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += sources._imported(name)
    return found


def test_theorems_do_not_rest_on_what_shows_them():
    modules = {theorem.observe.__module__ for theorem in REGISTRY.values()}
    found = reached(modules)
    assert {"linreg_mirror.solvers.continuous._flow", "linreg_mirror.mirrors.hyperbolic", "sketching.moments"} <= found
    rooms = {name.split(".")[1] for name in found if name.startswith("linreg_mirror.")}
    assert not rooms & {"cli", "verification", "runtime", "claims", "citations", "estimator"}
    # Gates are tested as networks train them; nothing else rests on networks.
    others = reached({name for name in modules if not name.startswith("linreg_mirror.theorems.gates.")})
    assert not any(name.startswith("linreg_mirror.networks") for name in others)
