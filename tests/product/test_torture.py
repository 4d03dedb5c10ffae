"""The quickest parts of tools/torture.py, and that it notices what it is to notice."""

import os
from dataclasses import replace

import pytest

from tools.torture import Outcome, Torture, commands, main

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and file systems of POSIX")


@pytest.fixture
def check(tmp_path):
    """The check of a single instance."""
    command = commands(tmp_path)[0]
    arguments = (*command.arguments[:3], "signs", "--instance", "planted/plain/0", "--jobs", "1")
    return replace(command, arguments=arguments)


def test_a_check_that_is_killed_ends_with_the_same_answers(tmp_path, check):
    torture = Torture(tmp_path, seed=0)
    torture.undisturbed(check)
    outcome = torture.killed(check, kills=1)
    assert outcome.well, outcome
    assert outcome.tried.startswith("kill -9 at ")


def test_a_folder_without_space_is_a_clear_error(tmp_path, check):
    torture = Torture(tmp_path, seed=0)
    torture.undisturbed(check)
    outcome = torture.full_disk(check)
    assert outcome.well, outcome
    assert "free some space" in outcome.came_out or "No space left" in outcome.came_out


def test_other_answers_are_noticed(tmp_path, check):
    torture = Torture(tmp_path, seed=0)
    results = torture.undisturbed(check)
    torture.expected[check.name] = "something else"
    assert torture.same(check, results, "nothing") == Outcome(check.name, "nothing", "OTHER ANSWERS", False)


def test_a_command_that_fails_undisturbed_ends_it(tmp_path, check):
    broken = replace(check, arguments=(*check.arguments[:3], "no-such-theorem"))
    with pytest.raises(SystemExit, match="check fails undisturbed, with exit code 2"):
        Torture(tmp_path, seed=0).undisturbed(broken)


def test_nothing_tried_is_no_success(capsys):
    assert main(["--only", "no-such-command"]) == 1
