"""Readings as tables: tokens by features.

Colour is never the only sign: how strongly a feature fires is a number too.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import nlargest
from itertools import islice

from rich.console import Console
from rich.table import Table
from rich.text import Text

from promptfix.cli.show import visible
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


def strongest(seen: Reading, top: int) -> None:
    """Show the `top` features of every token, strongest first."""
    console = Console(highlight=False)
    most = max((act.value for act in seen.activations), default=1.0)
    table = Table("token", "strongest features of the SAE")
    for token in _looked_at(seen):
        here = [act for act in seen.activations if act.position == token.position]
        cells = [
            Text(f"{act.feature}:{act.value:.2f}", _shade(act.value / most))
            for act in nlargest(top, here, key=lambda act: act.value)
        ]
        table.add_row(_name(token), Text("  ").join(cells))
    console.print(table)


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
