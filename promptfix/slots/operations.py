"""What a question asks for in the end: a total, a difference, a product or a share.

Told by the words of the question and of the story. Where they do not tell, nothing is said.
"""

import re

from promptfix.formats import Tables
from promptfix.records import Span
from promptfix.slots.changes import last_change
from promptfix.slots.lemmas import singular
from promptfix.slots.words import quantities, question

_ASK = re.compile(r"(?i)\bhow\s+(?:many|much)\b")
_COMPARED = re.compile(
    r"\bhow (?:many|much) (?:more|fewer|less)\b|\bdifference\b|\bhow much \w+er\b"
    r"|\b(?:more|fewer|less|\w+er)\b.*\bthan\b"
)
_EACH = re.compile(
    r"\b(?:each|every|per|apiece)\b"
    r"|\b(?:rows?|groups|bags|boxes|packs|packages|packets|columns) of (?:size )?\d"
)
_ODD = re.compile(r"\bdiscount\b|\bthan those\b|\bsquare\b")
"""Where the words mislead."""
_RELATION = re.compile(r"\b(?:more|fewer|less|\w+er)\b.*\bthan\b|\btogether\b|\btimes\b")
_HOLDER = re.compile(r"\b(?:an?|one) (\w+) (?:has|had|holds|held|contains|needs|weighs|costs) \d")
_MORE = re.compile(r"\d more\b|\banother \d")
_OF_EACH = re.compile(
    r"\b(?:in|for|to|on|of|does|do|will|would|did|can|should|must|per) (?:each|every|one)\b|\bper\b"
    r"|\beach\b|\bapiece\b"
)
_SHARED = re.compile(
    r"\b(?:equally|evenly|split\w*|shar(?:e|es|ed|ing)(?! \d)|divid\w+|groups of|same number)\b"
)
_CONTAINER = re.compile(r"\b(?:each|every|per|a|one) (\w+)\b|\b(\w+?)s? of \d")
_ASKED = re.compile(r"^how (?:many|much) (?:\w+ )??(\w+)")
_TOTAL = re.compile(r"\b(?:in all|altogether|total|combined|together|sum|both)\b")
_START = re.compile(
    r"\b(?:at first|originally|initially|to start|to begin|in the beginning|at the (?:start"
    r"|beginning)|start(?:ed)? (?:out )?with|begin with|began with|before)\b"
)
_LEFT = re.compile(r"\b(?:left|remain\w*|still|other|rest|uneaten|not)\b")
_LESS = re.compile(
    r"\b(?:left|gave|give|gives|lost|sold|ate|eaten|used|spent|took|remain\w*|died|away|sent|threw)\b"
)
_AFTER = re.compile(r"\b(?:now|have|has|end(?:s|ed)? (?:up )?with|will)\b")
_STATES = re.compile(r"\b(?:now|left|started|begin|began|had|was|were|remain\w*|still)\b")
_DID = re.compile(r"\bdid\b")


def operation(text: str, span: Span | None, tables: Tables) -> dict[str, str] | None:
    """What is to be found: `kind`."""
    del span
    kind = _kind(text, tables) if len(quantities(text)) > 1 else None
    return {"kind": kind} if kind else None


def _kind(text: str, tables: Tables) -> str | None:
    asking = question(text)
    found = _ASK.search(text, asking.start) if asking else None
    if found is None:
        return None
    told, asked = text[: found.start()].lower(), text[found.start() :].lower()
    if _ODD.search(text.lower()) or _RELATION.search(told):
        return None
    if _COMPARED.search(asked):
        return "difference"
    held = _HOLDER.search(told)
    if held and held[1] in {singular(word) for word in re.findall(r"\w+", asked)}:
        return "product"
    if _EACH.search(text.lower()) or _SHARED.search(told):
        return _of_groups(told, asked)
    if _START.search(asked):
        return "total" if _LESS.search(told) and not _TOTAL.search(told) else "difference"
    if _TOTAL.search(told) and _DID.search(asked):
        return "difference"
    if _TOTAL.search(asked):
        return "total"
    if _LEFT.search(asked):
        return "difference"
    if _MORE.search(told) and not _DID.search(asked):
        return "total"
    change = last_change(told, tables)
    if change and _AFTER.search(asked) and not _DID.search(asked):
        return "total" if change.effect == "larger" else "difference"
    return "difference" if _DID.search(asked) and _STATES.search(told) and not change else None


def _of_groups(told: str, asked: str) -> str:
    """A share if what one group has is asked for, or how many groups there are."""
    if _OF_EACH.search(asked):
        return "share"
    noun = _ASKED.search(asked)
    holders = {singular(word) for pair in _CONTAINER.findall(told) for word in pair if word}
    if noun and singular(noun[1]) in holders:
        return "share"
    return "share" if _SHARED.search(told) and not _TOTAL.search(asked) else "product"
