"""What an answer shows of its sums, and whether these are what a note asked for.

A parser that fills a note's slots also knows what an answer looks like that went by the note: one
sum of these two numbers, say, or a quotient. What cannot be told from an answer is no reproach.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal, DecimalException
from typing import NamedTuple, TypeAlias

_NUMBER = r"\d[\d,]*(?:\.\d+)?"
_DIGITS = re.compile(_NUMBER)
_SIGNS = {"x": "*", "\N{MULTIPLICATION SIGN}": "*", "\N{DIVISION SIGN}": "/", "\N{MINUS SIGN}": "-"}
_SUM = re.compile(rf"(-?{_NUMBER})\s*([-+*/{''.join(_SIGNS)}])\s*({_NUMBER})\s*=\s*(-?{_NUMBER})")
_OPERATIONS = {"sum": "+", "difference": "-", "product": "*", "quotient": "/"}
_CHANGES = {"more": "+", "fewer": "-"}
_NEAR = Decimal("0.01")
"""How far a result may be rounded."""


class Sum(NamedTuple):
    """One sum, as an answer writes it."""

    first: Decimal
    sign: str
    """One of + - * /."""
    second: Decimal
    result: Decimal

    @property
    def numbers(self) -> list[Decimal]:
        """The two numbers, the smaller first."""
        return sorted((self.first, self.second))

    @property
    def comes_out(self) -> bool:
        """Whether the result is right."""
        try:
            return abs(self._reckoned() - self.result) < _NEAR
        except DecimalException:  # by nought, or out of all bounds
            return False

    def _reckoned(self) -> Decimal:
        match self.sign:
            case "+":
                return self.first + self.second
            case "-":
                return self.first - self.second
            case "*":
                return self.first * self.second
            case _:
                return self.first / self.second


Shown: TypeAlias = Callable[[Mapping[str, str], Sequence[Sum]], bool | None]
"""The slots of a note, the sums of an answer -> whether it does what the note says; None where
the note says too little to tell."""


def sums(answer: str) -> tuple[Sum, ...]:
    """All sums that an answer writes out, in order."""
    return tuple(
        Sum(_decimal(first), _SIGNS.get(sign, str(sign)), _decimal(second), _decimal(result))
        for first, sign, second, result in _SUM.findall(answer)
    )


def one_of_pair(slots: Mapping[str, str], found: Sequence[Sum]) -> bool | None:
    """One sum, of the two numbers of `pair`."""
    pair = _numbers([slots["pair"]])
    if len(pair) != 2:
        return None
    return (len(found) == 1 and found[0].numbers == sorted(pair)) or _by_digits(pair, found)


def one_difference(slots: Mapping[str, str], found: Sequence[Sum]) -> bool | None:
    """One sum, the difference of `first` and `second`."""
    told = one_of_pair({"pair": f"{slots['first']} and {slots['second']}"}, found)
    return told and found[0].sign == "-"


def these_operations(slots: Mapping[str, str], found: Sequence[Sum]) -> bool | None:
    """Sums of just these `operations`, in that order, which take up all `numbers`."""
    told = [_OPERATIONS[name] for name in slots["operations"].split(", ")]
    numbers = _numbers(slots["numbers"].split(", "))
    if told == ["*"] and _by_digits(numbers, found):
        return True
    taken = [number for one in found for number in one.numbers]
    return [one.sign for one in found] == told and all(number in taken for number in numbers)


def with_change(slots: Mapping[str, str], found: Sequence[Sum]) -> bool | None:
    """A sum that adds `number`, or takes it away, as `more` says."""
    number = _numbers([slots["number"]])
    if len(number) != 1:
        return None
    return any((one.sign, one.second) == (_CHANGES[slots["more"]], *number) for one in found)


def with_value(slots: Mapping[str, str], found: Sequence[Sum]) -> bool | None:
    """A sum with `value` in it."""
    value = _numbers([slots["value"]])
    return any(number in value for one in found for number in one.numbers) if value else None


def _by_digits(pair: Sequence[Decimal], found: Sequence[Sum]) -> bool:
    """Whether sums are the product of a pair by the digits of one: 16 * 20, 16 * 6, and both."""
    *parts, last = found
    times = len(pair) == 2 and len(parts) > 1 and all(part.sign == "*" for part in parts)
    return times and last.sign == "+" and last.result == pair[0] * pair[1]


def _numbers(texts: Iterable[str]) -> list[Decimal]:
    return [_decimal(found) for text in texts for found in _DIGITS.findall(text)]


def _decimal(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))
