"""The error tree is drawn where it is declared, and reports are complete."""

import inspect

from promptfix import errors
from promptfix.errors import LibraryError, Problem, PromptfixError


def test_every_error_is_in_the_drawing() -> None:
    """The docstring of errors.py names every error of the tree."""
    tree = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, PromptfixError)
    ]
    assert len(tree) > 5
    assert all(kind.__name__ in (errors.__doc__ or "") for kind in tree)


def test_a_library_error_lists_all_problems() -> None:
    """The message has one line for each problem, with file, path and remedy, in order."""
    problems = [Problem(name, "$.id", "is wrong", "correct it") for name in ("b.json", "a.json")]
    error = LibraryError(problems)
    assert [problem.file for problem in error.problems] == ["a.json", "b.json"]
    assert "2 problems" in str(error)
    assert "a.json: $.id: is wrong (correct it)" in str(error)
