"""Two numbers of a product or of a share, where other things are counted beside them."""

import re
from collections.abc import Sequence

from promptfix.slots.described import Told, content_of
from promptfix.slots.lemmas import singular, stem
from promptfix.slots.words import pieces, sentence_at

_PLAIN = re.compile(r"(?i)\bhow\s+(?:many|much)\b(?!\s+(?:more|fewer|less)\b)")
_CHANGING = re.compile(r"(?i)\b(?:left|still|now|remain\w*|need\w*|already|empty|full)\b")
_GROUPS = re.compile(r"(?i)\bhow many (?:groups|teams|rows|stacks|piles)\b")
_GROUPS_OF = re.compile(r"(?i)\b(?:groups|teams|rows|stacks|piles) (?:of|with)\s*$")
_TO = re.compile(
    r"(?i)\b(?:to|among|amongst|between|over|into)(?: (?:the|his|her|their|its|my|our|all))*\s*$"
)
_EACH = re.compile(r"(?i)\b(?:each|every|per)\b")


def in_each(asked: str, noun: Sequence[str], told: Sequence[Told]) -> list[Told]:
    """So many in each of so many: a number of what is asked for with "each", and that of what.

    Where several are of a kind, those count that have a word of the question.
    """
    if not noun or not _PLAIN.match(asked) or _EACH.search(asked) or _CHANGING.search(asked):
        return []
    named = content_of(asked)
    money = noun[-1] in {"money", "dollar"}
    rates = [t for t in told if t.rate and (t.head == noun[-1] or (money and t.head == "dollar"))]
    rate = _meant(rates, named)
    if rate is None:
        return []
    holders = [t for t in told if not t.rate and stem(t.head) in rate.rate]
    holder = _meant(holders, named)
    pair = [rate, holder] if holder else []
    return pair if pair and all(_strange(t, pair, named) for t in told if t not in pair) else []


def _meant(some: Sequence[Told], named: frozenset[str]) -> Told | None:
    """The only one, or the only one with the most words of the question."""
    best = max((len(t.words & named) for t in some), default=0)
    found = [t for t in some if len(some) == 1 or len(t.words & named) == best]
    return found[0] if len(found) == 1 else None


def _strange(other: Told, pair: Sequence[Told], named: frozenset[str]) -> bool:
    """Whether a number is of something that neither the question nor a pair of numbers names."""
    if not other.key or (other.rate and other.rate != pair[0].rate and not other.rate - named):
        return False
    heads = {t.head for t in pair}
    if other.head not in heads:
        return not other.key & named and not (other.rate and other.rate != pair[0].rate)
    twin = next(t for t in pair if t.head == other.head)
    mine, theirs = _kind(twin), _kind(other)
    return bool(mine & named) and bool(theirs) and not theirs & named


def _kind(told: Told) -> frozenset[str]:
    """Stems of the words that tell a thing from others of its name."""
    return told.key - {stem(told.head)} | told.of


def in_groups(text: str, asked: str, told: Sequence[Told]) -> list[Told]:
    """So many things put into groups of so many: their number and the size of a group."""
    sizes = [t for t in told if _GROUPS_OF.search(text[: t.quantity.start][-40:])]
    if not _GROUPS.match(asked) or len(sizes) != 1:
        return []
    split = sentence_at(text, sizes[0].quantity.start).of(text)
    named = {singular(piece.low) for piece in pieces(split)}
    others = [t for t in told if t != sizes[0]]
    things = [t for t in others if t.head in named]
    plain = all(t.head for t in others)
    return [*things, *sizes] if len(things) == 1 and plain else []


def shared_out(text: str, asked: str, noun: Sequence[str], told: Sequence[Told]) -> list[Told]:
    """What is shared out and among how many, where the question asks for each one's share."""
    if not noun or not _PLAIN.match(asked) or not _EACH.search(asked):
        return []
    things = [t for t in told if t.head == noun[-1]]
    among = [t for t in told if t not in things and _TO.search(text[: t.quantity.start][-40:])]
    others = [t for t in told if t not in things and t not in among]
    named = content_of(asked)
    strange = all(t.head and stem(t.head) not in named for t in others)
    if len(things) != 1 or len(among) != 1 or not strange:
        return []
    # Whom a list goes on with have a share as well: "among 4 boys and 2 girls".
    after = [t for t in others if t.quantity.start > among[0].quantity.start]
    return [] if any(t.sentence == among[0].sentence for t in after) else [*things, *among]
