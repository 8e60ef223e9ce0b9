"""The command line: `promptfix ask "..."` and what goes with it.

    prompts.py   ask, repair, inspect
    data.py      check, schema
    jobs.py      mini train, mine, serve
    sae.py       sae list, import, train, check, readings
    options.py   the options that commands share
    show.py      traces and problems, for people
    tables.py    readings and pass rates, for people

Nothing heavy is imported before a command needs it. Whatever goes wrong on purpose is one
sentence on stderr and exit code 2.
"""

import io
import os
import sys
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import typer

from promptfix.cli import data, jobs, prompts, sae
from promptfix.errors import PromptfixError, PromptfixWarning

app = typer.Typer(
    name="promptfix",
    help="Find out how a language model misreads a prompt, and repair the prompt.",
    epilog='Example: promptfix ask "A shop sold two gross of pencils. How many is that?"',
    add_completion=False,
    pretty_exceptions_enable=False,
)
for commands in (prompts, data, jobs, sae):
    commands.add_to(app)


@app.callback(invoke_without_command=True)
def _help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """Run the command line: the entry point `promptfix`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that knows ASCII only, say
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code.

    0 is well, 1 that a check found something, 2 that the command could not be carried out, and
    130 that it was interrupted.
    """
    try:
        with _warnings_in_a_sentence():
            return app(args=list(arguments), prog_name="promptfix", standalone_mode=False) or 0
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "promptfix"
        return _fail(f"{error.format_message().rstrip('.')}; see {command} --help")
    except SystemExit as error:  # typer's, where it met a closed pipe
        if not isinstance(error.__context__, BrokenPipeError):
            raise
        # Whoever read the output has seen enough. Python flushes once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (PromptfixError, OSError) as error:
        return _fail(str(error))
    except (KeyboardInterrupt, typer.Abort):
        return 130


@contextmanager
def _warnings_in_a_sentence() -> Generator[None]:
    """Show promptfix's own warnings without the place in the code, and others as ever."""
    with warnings.catch_warnings():
        as_ever = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any) -> None:
            if issubclass(category, PromptfixWarning):
                typer.echo(f"promptfix: {message}", err=True)
            else:
                as_ever(message, category, *place)

        warnings.showwarning = show
        yield


def _fail(message: str) -> int:
    typer.echo(f"promptfix: {message}", err=True)
    return 2
