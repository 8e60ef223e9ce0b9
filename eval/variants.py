"""The same problem with other numbers, and its answer by the equation that comes with it.

Rules learn from these: one problem that a note repairs may be an accident of its numbers, six are
none. A variant is worth asking if it could have been the problem: numbers of the same size and
order, an answer that is a whole number above 0.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from random import Random
from typing import Any

NUMBER = re.compile(r"\d+(?:\.\d+)?")
GROUPED = re.compile(r"\d,\d")
TRIES = 300
_SUMS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul}


def variants(row: Mapping[str, Any], count: int) -> Iterator[dict[str, Any]]:
    """At most so many rows with other numbers, each once; none where the equation is no help.

    That is: it does not give the answer, or holds a number that the question does not.
    """
    known = {row["question"]}
    for n in range(count):
        made = renumbered(row, Random(f"{row['id']} {n}"))
        if made is None:
            return
        if made["question"] not in known:
            known.add(made["question"])
            yield made | {"id": f"{row['id']}-v{n + 1}", "variant_of": row["id"]}


def renumbered(row: Mapping[str, Any], rng: Random) -> dict[str, Any] | None:
    """A row with other numbers in question, equation and answer; None if there is none."""
    question, equation = str(row["question"]), str(row["equation"]).lower().removeprefix("x=")
    said = [Fraction(number) for number in NUMBER.findall(question)]
    old = sorted(set(said))
    used = {Fraction(number) for number in NUMBER.findall(equation)}
    if GROUPED.search(question) or not used or not used <= set(old):
        return None
    if any(value.denominator != 1 or value == 0 for value in old):
        return None
    answer = value_of(equation)
    if answer is None or answer.denominator != 1 or answer != Fraction(str(row["answer"])):
        return None
    for _ in range(TRIES):
        new = [_near(int(value), rng) for value in old]
        if len(set(new)) < len(new) or sorted(new) != new or new == old:
            continue
        table = dict(zip(old, new, strict=True))
        made = _replaced(equation, table)
        result = value_of(made)
        if result is not None and result > 0 and result.denominator == 1:
            changed = {"question": _replaced(question, table), "answer": str(result)}
            return {**row, **changed, "equation": made}
    return None


def value_of(equation: str) -> Fraction | None:
    """What a sum of numbers, brackets and the four operations comes to; None if it is none."""
    try:
        return _value(ast.parse(equation.strip(), mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError):
        return None


def _value(node: ast.AST) -> Fraction:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return Fraction(str(node.value))
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left), _value(node.right)
        if isinstance(node.op, ast.Div):
            return left / right
        if do := _SUMS.get(type(node.op)):
            return do(left, right)
    raise ValueError(ast.dump(node))


def _near(value: int, rng: Random) -> int:
    """A number between three fifths and eight fifths of it; 1 stays."""
    return 1 if value == 1 else rng.randint(max(2, value * 3 // 5), max(4, value * 8 // 5))


def _replaced(text: str, table: Mapping[Fraction, int]) -> str:
    return NUMBER.sub(lambda found: str(table[Fraction(found[0])]), text)
