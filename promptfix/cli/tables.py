"""Readings as tables, tokens by features; and what detectors do on the cases by hand.

Colour is never the only sign: how strongly a feature fires is a number too.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from rich.console import Console
from rich.table import Table
from rich.text import Text

from promptfix.cli.show import visible
from promptfix.measures import Count, Recording
from promptfix.records import Reading, Token

SHADES = ("", "on grey15", "on dark_green", "on green4", "black on green3", "black on bright_green")
"""From silent to as strong as anything in the table."""
COLUMNS = 8
"""Features side by side; more go into another table."""


def reading(seen: Reading, meanings: Mapping[int, str]) -> None:
    """Show tokens by features, for the features that fire anywhere."""
    console = Console(highlight=False)
    fired = sorted({act.feature for act in seen.activations})
    if not fired:
        console.print("none of the features that detectors look at fires on this prompt")
    for features in _batched(fired, COLUMNS):
        console.print(_table(seen, features))
    for feature in fired:
        console.print(Text(f"{feature:>6}  {meanings.get(feature, '')}"))


def strongest(seen: Reading, meanings: Mapping[int, str]) -> None:
    """Show the features of every token and what is known of them."""
    console = Console(highlight=False)
    most = max((act.value for act in seen.activations), default=1.0)
    table = Table("token", "strongest features of the SAE")
    shown: set[int] = set()
    for token in _looked_at(seen):
        here = [act for act in seen.activations if act.position == token.position]
        shown |= {act.feature for act in here}
        cells = [Text(f"{a.feature}:{a.value:.2f}", _shade(a.value / most)) for a in here]
        table.add_row(_name(token), Text("  ").join(cells))
    console.print(table)
    for feature in sorted(shown & set(meanings)):
        console.print(Text(f"{feature}: {meanings[feature]}"))


def pass_rates(recordings: Mapping[str, Recording]) -> None:
    """Show on how many of its fire and quiet cases each detector fires."""
    table = Table("detector", "fires on fire cases", "fires on quiet cases")
    for recording in recordings.values():
        for stamp, seen in recording.detectors.items():
            table.add_row(stamp, _of(seen.fire), _of(seen.quiet))
    Console(highlight=False).print(table)


def _of(count: Count) -> str:
    return f"{count.fired} of {count.n}"


def _table(seen: Reading, features: Sequence[int]) -> Table:
    values = {(act.position, act.feature): act.value for act in seen.activations}
    most = max(values.values())
    table = Table("token")
    for feature in features:
        table.add_column(str(feature), justify="right")
    for token in _looked_at(seen):
        cells = (values.get((token.position, feature), 0.0) for feature in features)
        table.add_row(_name(token), *(_cell(value, most) for value in cells))
    return table


def _cell(value: float, most: float) -> Text:
    shown = f"{value:.2f}" if value else "."
    return Text(shown, _shade(value / most))


def _shade(share: float) -> str:
    return SHADES[round(max(0.0, share) * (len(SHADES) - 1))]


def _looked_at(seen: Reading) -> Iterable[Token]:
    return (token for token in seen.tokens if token.kind != "template")


def _name(token: Token) -> Text:
    if token.kind == "readout":
        return Text("read-out", "italic")
    return Text(visible(token.text).replace("\n", "⏎"))


def _batched(items: Sequence[int], size: int) -> Iterator[list[int]]:
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some
