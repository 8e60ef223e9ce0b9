"""The operation that the words of a problem suggest, where no rule tells it: a small classifier.

A bag of features, each with a vector of a few numbers; their sum goes through one hidden layer
(fastText's scheme: Joulin et al., arXiv 1607.01759). The features are runs of words in which
numbers, people and the things counted have given way to marks, so that one story is told like
another. Learnt from mini's training stories by `promptfix/mini/joining.py`; no problem of other
people has a part in it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import NamedTuple
from zlib import crc32

import numpy as np
import numpy.typing as npt
from safetensors import safe_open

from promptfix.slots.lemmas import singular, stem
from promptfix.slots.words import STOP, Piece, Quantity, pieces, quantities, sentences, value

NAMES = ("sum", "difference", "product", "quotient")
"""The classes in order; a last one is for what takes anything else."""
SURE = 0.85
"""Of how many are said to be right; see `eval/LOG.md` for how many are."""
LONGEST = 80
"""Words of a text that is read; no story of the training has more."""
_ASKING = frozenset("how what find calculate which determine".split())
_PRONOUNS = {"she": "he", "his": "his", "her": "his", "him": "him", "herself": "himself"}
_MARKS = frozenset(",.?!;:$%/")
_HEADS = frozenset(
    "the a an there in on at if when after before how what each every some one two it they he she"
    " his her my i we then later now".split()
)
"""What begins sentences with a capital and is no name."""
_UNCUT = frozenset(
    "left had has was were is are did does do will would been more less fewer than".split()
)
_EMPTY = frozenset("_,.?")
_MONEY = frozenset({"dollar", "cent"})

Ids = npt.NDArray[np.uint32]
Floats = npt.NDArray[np.float32]


class Mark(NamedTuple):
    """A word of a text in the form in which it is compared, or the place of a number."""

    word: str
    """Its stem, or a mark: `n0` for the first person, `x0` for the first thing, `#` a number."""
    asked: bool
    """Whether it belongs to the question."""
    number: int = -1
    """Which of the text's numbers it is; -1 for a word."""


class Cues(NamedTuple):
    """What stays of a story in its outline."""

    words: frozenset[str]
    """The commonest words of stories."""
    effects: Mapping[str, str]
    """Stems of verbs of change -> whether a number becomes larger or smaller."""


@dataclass(frozen=True)
class Weights:
    """What was learnt."""

    cues: Cues
    keys: Ids
    """[features], ascending: the features that are known, by checksum."""
    vectors: Floats
    """[features, width]."""
    hidden: tuple[Floats, Floats]
    """[width, width] and [width]."""
    out: tuple[Floats, Floats]
    """[5, width] and [5]."""

    def chances(self, features: Ids) -> Floats:
        """Chances [5] of `NAMES` and of anything else."""
        known = places(features, self.keys)
        total = self.vectors[known].sum(0) * (3 / (len(known) + 1) ** 0.5)
        inner = np.maximum(self.hidden[0] @ np.maximum(total, 0) + self.hidden[1], 0)
        logits = self.out[0] @ inner + self.out[1]
        odds = np.exp(logits - logits.max())
        return odds / odds.sum()


def places(features: Ids, keys: Ids) -> npt.NDArray[np.int64]:
    """Where those of some features that are known stand among all that are."""
    at = np.searchsorted(keys, features).clip(max=len(keys) - 1)
    return at[keys[at] == features]


def likely(text: str) -> str | None:
    """The operation that joins a text's only two numbers, if its words leave little doubt."""
    given = quantities(text)
    if len(given) != 2 or not asked_from(text) or len(pieces(text)) > LONGEST:
        return None
    weights = _weights()
    found = features(marked(text), given, (0, 1), weights.cues)
    chances = weights.chances(found)
    best = int(chances.argmax())
    return NAMES[best] if best < len(NAMES) and chances[best] > SURE else None


@lru_cache(maxsize=1)
def _weights() -> Weights:
    with resources.as_file(resources.files("promptfix.slots") / "likely.safetensors") as path:
        return read(str(path))


def read(path: str) -> Weights:
    """Read weights as `promptfix/mini/joining.py` writes them. Raises as safetensors does."""
    with safe_open(path, framework="numpy") as file:
        one = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        cues = Cues(*json.loads(file.metadata()["cues"]))
    vectors = one["vectors"].astype(np.float32) * one["scale"]
    hidden, out = (one["hidden"], one["hidden_bias"]), (one["out"], one["out_bias"])
    cues = cues._replace(words=frozenset(cues.words))
    return Weights(cues, one["keys"], vectors, hidden, out)


def asked_from(text: str) -> int:
    """Where the last question of a text begins; 0 if it has none behind its first word."""
    for sentence in reversed(sentences(text)):
        words = (p for p in pieces(text) if sentence.start <= p.start < sentence.end)
        if found := next((p for p in words if p.low in _ASKING), None):
            return found.start
    return 0


def marked(text: str) -> list[Mark]:
    """A text's words, with marks for people, things and numbers."""
    given, asked = quantities(text), asked_from(text) or len(text)
    heads = dict.fromkeys(q.key[-1] for q in given if q.key and q.key[-1] not in _MONEY)
    things = {head: f"x{n}" for n, head in enumerate(heads)}
    starts = {sentence.start for sentence in sentences(text)}
    names: dict[str, str] = {}
    found: list[Mark] = []
    at, until = 0, 0
    for piece in pieces(text):
        if piece.start < until:
            continue
        if at < len(given) and given[at].start <= piece.start:
            found.append(Mark("#", piece.start >= asked, at))
            at, until = at + 1, given[at].end
            continue
        words = _words(piece, things, names, starts)
        found += [Mark(word, piece.start >= asked) for word in words]
    return found


def _words(
    piece: Piece, things: dict[str, str], names: dict[str, str], starts: set[int]
) -> Iterator[str]:
    if piece.kind != "word":
        yield from ["#n"] if piece.kind == "number" else [piece.text] * (piece.text in _MARKS)
        return
    low = piece.low.replace("\u2019", "'")
    core = low.removesuffix("'s")
    if piece.text[0].isupper() and low != "i" and _is_name(piece, core, things, names, starts):
        yield names.setdefault(core, f"n{len(names)}")
    elif singular(core) in things:
        yield things[singular(core)]
    else:
        yield _PRONOUNS.get(core) or (core if core in _UNCUT else stem(core))
    if core != low:
        yield "'s"


def _is_name(
    piece: Piece, core: str, things: dict[str, str], names: dict[str, str], starts: set[int]
) -> bool:
    if piece.start not in starts or core in names:
        return True
    return not piece.stops and singular(core) not in things and core not in _HEADS


def features(
    marks: Sequence[Mark],
    given: Sequence[Quantity],
    pair: tuple[int, int],
    cues: Cues,
) -> Ids:
    """Checksums, ascending, of all that may tell what joins a pair of a text's numbers."""
    one, other = (value(given[n]) for n in pair)
    large = pair[0] if one >= other else pair[1]
    outline = list(_outline(marks, cues))
    found = {*_runs("w", _roles(marks, pair, large), 3)}
    found |= {*_runs("a", _roles(outline, pair, large), 5)}
    found |= {f"e{sign}" for sign in _sizes(one, other, len(given))}
    words = [mark for mark in outline if mark.number < 0 and mark.word not in _EMPTY]
    asked, told = ({m.word for m in words if m.asked is way} for way in (True, False))
    found |= {f"c{word}\0{other}" for word in asked for other in told}
    return np.unique(np.array([crc32(one.encode()) for one in found], dtype=np.uint32))


def _roles(marks: Iterable[Mark], pair: tuple[int, int], large: int) -> list[str]:
    """The words in order; the larger number of a pair is L, the smaller S, any other O."""
    found: list[str] = []
    for mark in marks:
        role = "L" if mark.number == large else "S" if mark.number in pair else "O"
        word = f"#{role}" if mark.number >= 0 else mark.word
        found.append(f"?{word}" if mark.asked else word)
    return found


def _outline(marks: Iterable[Mark], cues: Cues) -> Iterator[Mark]:
    """What is left of a story: common words, verbs of change by their effect, gaps for the rest."""
    last = None
    for mark in marks:
        word, known = mark.word, mark.number >= 0 or mark.word.strip("xn#").isdigit()
        known = known or word in cues.words or word in STOP
        kept = mark if known else Mark(cues.effects.get(word, "_"), mark.asked)
        if kept.word != "_" or kept != last:
            yield kept
        last = kept


def _runs(tag: str, words: Sequence[str], longest: int) -> Iterator[str]:
    """All runs of words up to a length, and pairs of words with one or two between them."""
    every = ["^", *words, "$"]
    for length in range(1, longest + 1):
        for start in range(len(every) - length + 1):
            yield tag + "\0".join(every[start : start + length])
    for gap in (2, 3):
        yield from (f"{tag}{gap}{a}\0{b}" for a, b in zip(every, every[gap:], strict=False))


def _sizes(one: float, other: float, count: int) -> Iterator[str]:
    """What the numbers themselves tell: which comes first, whether one goes into the other."""
    large, small = max(one, other), min(one, other)
    if small > 0:
        yield "even" if large % small == 0 else "uneven"
        yield f"ratio {min(5, int(large / small).bit_length())}"
        yield f"small {int(small)}" if small < 13 else "not small"
    yield "falling" if one > other else "rising" if other > one else "level"
    yield f"of {count}"
