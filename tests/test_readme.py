"""The README is true: its transcript, its commands, its links and its tables."""

import re
import shlex
from pathlib import Path

import pytest

from eval.report import FILES, stale
from promptfix.cli import run
from tests.test_cli import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
CONSOLE = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
NAMED = re.findall(r"^\| `promptfix ([a-z]+(?: train)?)", README, re.MULTILINE)


def _plain(text):
    return [line.rstrip() for line in text.strip().splitlines()]


@pytest.mark.parametrize("block", CONSOLE)
def test_transcripts_are_what_the_commands_print(block, capsys, monkeypatch):
    """Each console block is run as written on the embedded model and prints what it shows."""
    monkeypatch.setenv("COLUMNS", "100")
    command, _, shown = block.partition("\n")
    program, *arguments = shlex.split(command.removeprefix("$ "))
    assert program == "promptfix"
    assert run(arguments) == 0
    assert _plain(capsys.readouterr().out) == _plain(shown)


def test_there_is_a_transcript():
    """The README shows a repair before anything else."""
    assert CONSOLE
    assert README.index("```console") < README.index("## Install")


def test_every_command_named_has_help_with_an_example():
    """Each command of the table is one of those that test_cli.py asks for help."""
    assert len(NAMED) > 5
    assert set(NAMED) <= set(COMMANDS)


def test_the_make_targets_named_exist():
    """`make demo` and `make test` are targets."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"^make ([a-z-]+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_the_tables_are_those_of_the_results():
    """README and model card say what eval/results says; `python -m eval.report` mends them."""
    assert stale() == []


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_no_placeholder_is_left(file):
    """Nothing is left to fill in."""
    assert not re.search(r"@[A-Z]+@", file.read_text("utf-8"))
