"""The schemas' formulas: numbers, letters, `+ - * / %`, `<`, `>` and `pick(2,3,4)`.

Nothing else can be said in them, so that a table of stories never runs as a
program.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any, TypeAlias

Formula: TypeAlias = Callable[[Mapping[str, int | Decimal], Random], float | Decimal]
"""(values of the letters, source of `pick`) -> value; a comparison's value is a truth value.

Raises KeyError for a letter without a value, ZeroDivisionError as division does.
"""
_OPERATORS: Mapping[type[ast.AST], Callable[[Any, Any], float | Decimal]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.Lt: operator.lt,
    ast.Gt: operator.gt,
}


def parse(text: str) -> Formula:
    """Parse a formula. Raises ValueError for anything beyond the little language."""
    try:
        return _built(ast.parse(text, mode="eval").body)
    except SyntaxError as error:
        raise ValueError(f"{text!r} is no formula: {error}") from error


formula = cache(parse)
"""The same for the schemas' own formulas, which come back over and over: each is parsed once."""


def _built(node: ast.expr) -> Formula:
    match node:
        case ast.Constant(value=int(number)):
            return lambda _values, _rng: number
        case ast.Constant(value=float(number)):
            exact = Decimal(str(number))
            return lambda _values, _rng: exact
        case ast.Name(id=letter):
            return lambda values, _rng: values[letter]
        case ast.BinOp(left=left, op=kind, right=right):
            return _joined(kind, left, right)
        case ast.Compare(left=left, ops=[kind], comparators=[right]):
            return _joined(kind, left, right)
        case ast.Call(func=ast.Name(id="pick"), args=[_, *_] as choices, keywords=[]):
            numbers = [_built(choice) for choice in choices]
            return lambda values, rng: rng.choice(numbers)(values, rng)
        case _:
            raise ValueError(f"{ast.unparse(node)!r} cannot be said in a formula")


def _joined(kind: ast.AST, left: ast.expr, right: ast.expr) -> Formula:
    if type(kind) not in _OPERATORS:
        raise ValueError(f"{ast.dump(kind)} cannot be said in a formula")
    join, first, second = _OPERATORS[type(kind)], _built(left), _built(right)
    return lambda values, rng: join(first(values, rng), second(values, rng))
