"""Docstrings of the public names: numpydoc's checks, errors that are named, examples that run."""

import ast
import dataclasses
import doctest
import enum
import inspect
import textwrap
import types

import numpy as np
import pytest
from numpydoc.docscrape import get_doc_object
from numpydoc.validate import ERROR_MSGS, validate

import linreg_mirror
import linreg_mirror.citations
import linreg_mirror.claims
import linreg_mirror.networks.recipes
import linreg_mirror.theorems
import sketching

ROOTS = (
    *(linreg_mirror, linreg_mirror.citations, linreg_mirror.claims, linreg_mirror.theorems),
    *(linreg_mirror.networks, linreg_mirror.networks.recipes, sketching),
)

# The checks of numpydoc that are not made, and why.
LEFT_OUT = {
    "GL01": "ruff's D212 and D213 say where a docstring begins",
    "GL02": "one line is enough for what fits into one line",
    "SS02": "a summary may begin with a symbol, such as x = m*w",
    "PR04": "parameters that are as in another function refer to it instead",
    "PR08": "a description may begin with a symbol",
    "RT04": "a description may begin with a symbol",
    "ES01": "a summary that says all needs no more",
    "SA01": "what belongs together stands in one module",
    "EX01": "asked of some modules, below",
}
# What a class need not say of the methods that a protocol, or a class that it extends, documents already.
SAID_BY_THE_PROTOCOL = {"PR01", "RT01", "YD01"}
PROTOCOLS = (
    linreg_mirror.Parametrization,
    linreg_mirror.mirrors.Mirror,
    linreg_mirror.schedules.Schedule,
    linreg_mirror.problems.losses.Loss,
    linreg_mirror.networks.methods.Method,
    linreg_mirror.networks.data.Augmentation,
)
# Every name in these has an example, but for those below, for a reason.
WITH_EXAMPLES = (
    *(linreg_mirror, linreg_mirror.problems, linreg_mirror.problems.losses, linreg_mirror.schedules),
    *(sketching, sketching.scores, sketching.network_scores, sketching.moments, sketching.mask_moments),
    *(sketching.ntk, sketching.tails, sketching.temperature, sketching.training),
)
NO_EXAMPLE = {
    "linreg_mirror.Parametrization": "a protocol",
    "linreg_mirror.Certificate": "comes with a Solution, in whose example it is printed",
    "linreg_mirror.ProofError": "raised in the example of verify",
    "linreg_mirror.Stats": "comes with a Solution",
    "linreg_mirror.Status": "comes with a Solution",
    "linreg_mirror.problems.losses.Loss": "a protocol",
    "linreg_mirror.schedules.Schedule": "a protocol",
    "linreg_mirror.schedules.require_clock": "for those who write solvers",
    "sketching.LayerDiagnosis": "comes with a Diagnosis",
    "sketching.training.AfterTraining": "comes from after_training",
}


def public():
    """Yield (module, name, value) of every function and class that an `__init__` lists, in it or in a listed module."""
    seen, modules = set(), list(ROOTS)
    for module in modules:
        listed = getattr(module, "__all__", None)
        for name in listed or [name for name in vars(module) if not name.startswith("_")]:
            value = getattr(module, name)
            if isinstance(value, types.ModuleType):
                # Files of theorems hold observations; what each observes is said by its statement in the ledger.
                if listed and module is not linreg_mirror.theorems:
                    modules.append(value)
            elif inspect.isfunction(value) or inspect.isclass(value):
                own = listed or value.__module__ == module.__name__
                if own and value not in seen:
                    seen.add(value)
                    yield module, name, value


NAMES = {f"{module.__name__}.{name}": value for module, name, value in public()}


def methods(cls):
    """Yield the public methods and properties that a class defines itself."""
    for name, value in vars(cls).items():
        if not name.startswith("_") and isinstance(value, property | classmethod | staticmethod | types.FunctionType):
            yield name, getattr(value, "__func__", value)


METHODS = {
    f"{full}.{name}": (cls, name, value)
    for full, cls in NAMES.items()
    if inspect.isclass(cls)
    for name, value in methods(cls)
}


def complaints(value, *, without=()):
    allowed = LEFT_OUT.keys() | set(without)
    return [f"{code}: {message}" for code, message in validate(get_doc_object(value))["errors"] if code not in allowed]


def test_every_check_left_out_is_one_of_numpydoc():
    assert LEFT_OUT.keys() <= ERROR_MSGS.keys()
    assert len(NAMES) > 200
    assert len(METHODS) > 150


@pytest.mark.parametrize("name", list(NAMES))
def test_functions_and_classes_say_what_they_take_and_return(name):
    value = NAMES[name]
    without = set()
    if inspect.isclass(value):
        if issubclass(value, enum.Enum | BaseException) or getattr(value, "_is_protocol", False):
            without = {"PR01"}  # not constructed by users, or by a message alone
        elif undocumented(value) == set():
            without = {"PR01"}  # fields of results are attributes
    assert complaints(value, without=without) == []


def undocumented(cls):
    """Return the fields of a dataclass or named tuple that it and what it extends do not document; or None."""
    if not (dataclasses.is_dataclass(cls) or issubclass(cls, tuple)):
        return None
    fields = cls._fields if issubclass(cls, tuple) else [field.name for field in dataclasses.fields(cls)]
    said = set()
    for base in cls.__mro__[:-1]:
        document = get_doc_object(base)
        for section in ("Parameters", "Attributes"):
            said |= {name.strip() for one in document[section] for name in one.name.split(",")}
    return {field for field in fields if not field.startswith("_")} - said


@pytest.mark.parametrize("name", list(METHODS))
def test_methods_say_what_they_take_and_return(name):
    cls, method, value = METHODS[name]
    without = set()
    summary = inspect.getdoc(value).partition("\n")[0]
    if summary.startswith(("Return ", "Whether ", "Evaluate ")):
        without.add("RT01")  # said once
    if inherited(cls, method):
        without |= SAID_BY_THE_PROTOCOL
    assert complaints(value, without=without) == []


def inherited(cls, method):
    """Return this method of the classes that a class extends, and of the protocols whose methods it has all."""
    protocols = [one for one in PROTOCOLS if one is not cls and all(hasattr(cls, name) for name, _ in methods(one))]
    return [vars(base)[method] for base in (*cls.__mro__[1:], *protocols) if method in vars(base)]


@pytest.mark.parametrize("name", [*NAMES, *METHODS])
def test_errors_that_are_raised_are_named(name):
    value = METHODS[name][2] if name in METHODS else NAMES[name]
    raised = set()
    for function in constructors(value) if inspect.isclass(value) else [getattr(value, "fget", value)]:
        tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))
        for node in ast.walk(tree):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name):
                raised.add(node.exc.func.id)
    raised.discard("NotImplementedError")
    documented = [value, *(inherited(*METHODS[name][:2]) if name in METHODS else [])]
    entries = [entry for one in documented for entry in get_doc_object(one)["Raises"]]
    assert raised <= {one.strip() for entry in entries for one in entry.type.split(",")}


def constructors(cls):
    own = [vars(cls).get("__init__"), vars(cls).get("__post_init__")]
    return [
        function
        for function in own
        if isinstance(function, types.FunctionType) and function.__code__.co_filename == inspect.getsourcefile(cls)
    ]


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_names_to_begin_with_have_examples(module):
    names = {f"{module.__name__}.{name}" for name in getattr(module, "__all__", vars(module))} & NAMES.keys()
    assert names
    assert [name for name in sorted(names - NO_EXAMPLE.keys()) if not get_doc_object(NAMES[name])["Examples"]] == []


def examples():
    finder = doctest.DocTestFinder(recurse=False)
    for full, value in [*NAMES.items(), *((full, method) for full, (_, _, method) in METHODS.items())]:
        for test in finder.find(value, full, globs={}, module=False):
            if test.examples:
                yield pytest.param(test, id=full)


@pytest.mark.parametrize("test", list(examples()))
def test_examples_run_as_they_are_printed(test):
    """Each starts from nothing, as when it is pasted; NumPy's options for printing do not matter."""
    complaint = []
    with np.printoptions(precision=3, suppress=True):
        failed, tried = doctest.DocTestRunner(verbose=False).run(test, out=complaint.append)
    assert not failed, "".join(complaint)
    assert tried
