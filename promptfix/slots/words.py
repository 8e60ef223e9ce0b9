"""Words, sentences, numbers and counted things of a text, found without any model.

All offsets are characters of the text as given; nothing is normalised before it is cut out.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from promptfix.records import Span
from promptfix.slots.lemmas import plural, singular

WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
DIGITS = re.compile(r"(?:\$ ?)?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:/\d+)?")
_TOKEN = re.compile(rf"(?P<number>{DIGITS.pattern})|(?P<word>{WORD.pattern})|(?P<mark>[^\s\w])")
_ASKING = re.compile(r"\b(?:how|what|when|which)\b", re.IGNORECASE)
_HOW_MANY = re.compile(r"\bhow (?:many|much)\b", re.IGNORECASE)
_TASK = re.compile(r"\bHow\b|(?i:\b(?:find the|calculate|compute|convert|determine)\b)")
_CLAUSE = re.compile(r"[^.?!]+[.?!]?")
_RATIO = re.compile(r"\s*(?:%|percent\b|times\b)", re.IGNORECASE)
_SENTENCE = re.compile(r".+?(?:[.!?](?=\s|[\"'\u201d\u2019]|$)|[\r\n]+|$)", re.DOTALL)
_ABBREVIATION = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|St|vs)\.$")

SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
VALUES = {w: n for n, w in enumerate(SMALL)} | {w: 10 * n for n, w in enumerate(TENS, 2)}
SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000}

EACH = re.compile(r"(?i)\b(?:each|every|per|apiece)\b")
"""Words that say so much of one of several."""
NEGATIVE = re.compile(r"(?<![\w.)])[-\u2212]\$?\d|\bminus \d")
"""A number below nought, of which no rule can tell."""
STOP = frozenset(
    """
    a about after all also am among an and any are as at away back be because been before being
    below between both but by can could did do does down during each either else every few fewer
    for from had has have he her here hers him his how i if in into is it its just left less many
    may me might mine more most much my need needs of off on once one only onto or other our out
    over per remain remained remaining she should since so some still such than that the their
    them then there these they this those through to together too under until up us was we were
    what when where which while who whom whose why will with would you your altogether total
    """.split()
)
AUXILIARY = frozenset(
    "am is are was were be been do does did has have had can could will would should".split()
)


@dataclass(frozen=True)
class Piece:
    """A word, a number or a mark of the text."""

    kind: str
    """`word`, `number` or `mark`."""
    text: str
    start: int
    end: int

    @property
    def low(self) -> str:
        """The piece in lower case."""
        return self.text.lower()

    @property
    def stops(self) -> bool:
        """Whether a noun phrase ends before this piece."""
        return self.kind != "word" or self.low in STOP


@dataclass(frozen=True)
class Quantity:
    """A number of the text and the words for what it counts."""

    number: str
    """As the text writes it."""
    start: int
    end: int
    noun: str
    """The words for what is counted, head last, as in the text; may be empty."""

    @cached_property
    def key(self) -> tuple[str, ...]:
        """The words for what is counted, in lower case and singular."""
        return noun_key(self.noun)


# One parser asks for the same cuts many times over, and the next one for them again.
_remembered = lru_cache(maxsize=64)


@_remembered
def pieces(text: str) -> tuple[Piece, ...]:
    """Cut a text into words, numbers and marks."""
    return tuple(
        Piece(str(found.lastgroup), found.group(), found.start(), found.end())
        for found in _TOKEN.finditer(text)
    )


@_remembered
def sentences(text: str) -> tuple[Span, ...]:
    """Cut a text into sentences, without the white space around them."""
    spans: list[Span] = []
    start = 0
    for found in _SENTENCE.finditer(text):
        if _ABBREVIATION.search(found.group()):
            continue
        cut = text[start : found.end()]
        if cut.strip():
            left = start + len(cut) - len(cut.lstrip())
            spans.append(Span(start=left, end=start + len(cut.rstrip())))
        start = found.end()
    return tuple(spans)


def asks(text: str) -> bool:
    """Whether a text asks for anything; if not, nothing depends on what its words stand for."""
    if _TASK.search(text):
        return True
    clauses = _CLAUSE.findall(text)  # one by one: a pattern over all is quadratic
    asked = any(clause[-1] == "?" and _ASKING.search(clause) for clause in clauses)
    # The mark may have been left off at the end.
    return asked or bool(clauses and clauses[-1][-1] not in ".!" and _HOW_MANY.search(clauses[-1]))


def question(text: str) -> Span | None:
    """The last sentence that asks for a number."""
    asking = [s for s in sentences(text) if re.search(r"(?i)\bhow\s+(many|much)\b", s.of(text))]
    return asking[-1] if asking else None


def spelled(words: Sequence[str]) -> int | None:
    """The value of a number in words: ["forty-two"], ["two", "hundred", "and", "six"].

    None if they are not one number: "four thirteen" is two, "two hundred and three hundred" too.
    """
    total = group = 0
    last, ceiling = "", max(SCALES.values()) + 1
    for word in "-".join(words).lower().split("-"):
        if word in VALUES:
            behind_ten = last in TENS and 0 < VALUES[word] < 10
            if not behind_ten and last not in {"", "and", *SCALES}:
                return None
            group += VALUES[word]
        elif word == "hundred":
            if last not in VALUES or group >= 100:
                return None
            group *= 100
        elif word in SCALES:
            if not group or last == "and" or SCALES[word] >= ceiling:
                return None
            total, group, ceiling = total + group * SCALES[word], 0, SCALES[word]
        elif word != "and" or last not in SCALES:
            return None
        last = word
    return total + group if last else None


def spelled_runs(text: str) -> Iterator[tuple[Span, int]]:
    """Numbers in words and their values, in order; those side by side are one each."""
    known = set(VALUES) | set(SCALES)
    run: list[Piece] = []
    for piece in [*pieces(text), Piece("mark", "", len(text), len(text))]:
        parts = piece.low.split("-")
        if piece.kind == "word" and all(part in known for part in parts):
            cut = _cut(run, piece)
            yield from _read(run[:cut])
            run = [*run[cut:], piece]
        elif run and piece.low == "and" and run[-1].low in SCALES:
            run.append(piece)
        else:
            yield from _read(run)
            run = []


def _cut(run: Sequence[Piece], piece: Piece) -> int:
    """How much of a run is a number of its own before a piece; 0 if they go together.

    A scale takes the small numbers before it along: two hundred and | three hundred.
    """
    words = [word.text for word in run]
    if not run or spelled(words) is None or spelled([*words, piece.text]) is not None:
        return 0
    cut = len(run)
    while piece.low in SCALES and cut and run[cut - 1].low not in {"and", *SCALES}:
        cut -= 1
    return cut


def _read(run: Sequence[Piece]) -> Iterator[tuple[Span, int]]:
    """The number that a run comes to, if any, without an "and" behind it."""
    run = run[:-1] if run and run[-1].low == "and" else run
    value = spelled([word.text for word in run])
    if value is not None:
        yield Span(start=run[0].start, end=run[-1].end), value


@_remembered
def quantities(text: str) -> tuple[Quantity, ...]:
    """The numbers of a text with what they count, in order.

    `one` alone is no number here, and neither are percentages and "3 times".
    """
    digits = [Span(start=m.start(), end=m.end()) for m in DIGITS.finditer(text)]
    words = [span for span, _ in spelled_runs(text) if span.of(text).lower() != "one"]
    found: list[Quantity] = []
    every = pieces(text)
    for span in sorted(digits + words, key=lambda span: span.start):
        number = span.of(text)
        noun = "dollars" if number.startswith("$") else counted(after(every, span.end))
        if not _RATIO.match(text, span.end):
            found.append(Quantity(number, span.start, span.end, noun))
    return tuple(found)


def value(quantity: Quantity) -> float:
    """What a quantity's number comes to; 0 for one that cannot be read."""
    digits = quantity.number.strip("$ ").replace(",", "")
    try:
        return float(digits)
    except ValueError:
        words = spelled([piece.text for piece in pieces(quantity.number)])
        return float(words or 0)


def listed(some: Sequence[Quantity]) -> str:
    """Numbers as a text writes them, the largest first: as a difference or a share needs them."""
    ranked = sorted(some, key=value, reverse=True)
    return " and ".join(quantity.number for quantity in ranked)


def meets(found: Span, span: Span | None) -> bool:
    """Whether two spans share a character; every span meets None."""
    return span is None or (found.start < span.end and span.start < found.end)


def longest_word(text: str, span: Span) -> Span:
    """The longest word of a span: detectors look at single words, and short ones tell little."""
    words = [Span(start=m.start(), end=m.end()) for m in WORD.finditer(text, span.start, span.end)]
    return max(words, key=lambda word: word.end - word.start, default=span)


def after(every: Sequence[Piece], at: int) -> list[Piece]:
    """The pieces that start at or after a character."""
    return [piece for piece in every if piece.start >= at]


def counted(following: Sequence[Piece]) -> str:
    """The noun phrase that a number is followed by: up to its first plural, else its words."""
    phrase: list[str] = []
    rest = list(following)
    while rest and rest[0].low in {"more", "fewer", "less", "of", "the", "his", "her", "their"}:
        rest.pop(0)
    for piece in rest[:4]:
        if piece.stops:
            break
        phrase.append(piece.text)
        if plural(piece.text):
            return " ".join(phrase)
    return " ".join(phrase[:2])


def noun_key(noun: str) -> tuple[str, ...]:
    """A noun phrase in a form that can be compared."""
    return tuple(singular(word) for word in noun.split())


def same_things(asked: tuple[str, ...], counts: tuple[str, ...]) -> bool:
    """Whether a quantity may count what is asked for.

    The heads agree and no describing words contradict; or all that the quantity has is one of
    the describing words, as in "9 salty".
    """
    if not asked or not counts:
        return False
    if set(counts) <= set(asked[:-1]):
        return True
    mine, other = set(asked[:-1]), set(counts[:-1])
    return asked[-1] == counts[-1] and (mine <= other or not other)


def sentence_at(text: str, at: int) -> Span:
    """The sentence around a character."""
    found = [span for span in sentences(text) if span.start <= at < span.end]
    return found[0] if found else Span(start=0, end=max(1, len(text)))
