"""Base forms of English words, by rule and a short list of irregular ones."""

import re
from collections.abc import Container, Iterator, Mapping

_VERBS = """
arise arose arisen|awake awoke awoken|be am is are was were been being|bear bore borne|beat beat
beaten|become became|begin began begun|bend bent|bet|bind bound|bite bit bitten|bleed bled|blow
blew blown|break broke broken|breed bred|bring brought|build built|burn burnt|buy bought|catch
caught|choose chose chosen|cling clung|come came|creep crept|deal dealt|die died dying|dig dug|do
does did done|draw drew drawn|dream dreamt|drink drank drunk|drive drove driven|eat ate eaten|fall
fell fallen|feed fed|feel felt|fight fought|find found|flee fled|fling flung|fly flew flown flies|
forbid forbade forbidden|forget forgot forgotten|forgive forgave forgiven|freeze froze frozen|get
got gotten|give gave given|go goes went gone|grind ground|grow grew grown|hang hung|have has had|
hear heard|hide hid hidden|hold held|keep kept|kneel knelt|know knew known|lay laid|lead led|lean
leant|leap leapt|learn learnt|leave left|lend lent|lie lay lain lying|light lit|lose lost|make
made|mean meant|meet met|mislay mislaid|pay paid|ride rode ridden|ring rang rung|rise rose risen|
run ran|say said|see saw seen|seek sought|sell sold|send sent|sew sewn|shake shook shaken|shed|
shine shone|shoot shot|show shown|shrink shrank shrunk|sing sang sung|sink sank sunk|sit sat|sleep
slept|slide slid|sling slung|speak spoke spoken|speed sped|spend spent|spill spilt|spin spun|spit
spat|spring sprang sprung|stand stood|steal stole stolen|stick stuck|sting stung|stink stank stunk|
stride strode|strike struck stricken|string strung|strive strove striven|swear swore sworn|sweep
swept|swell swollen|swim swam swum|swing swung|take took taken|teach taught|tear tore torn|tell
told|think thought|throw threw thrown|tie tying|tread trod trodden|understand understood|wake woke
woken|wear wore worn|weave wove woven|weep wept|win won|wind wound|withdraw withdrew withdrawn|
write wrote written
"""
_NOUNS = """
child children|man men|woman women|person people|foot feet|tooth teeth|goose geese|mouse mice|ox
oxen|die dice|leaf leaves|loaf loaves|knife knives|wife wives|life lives|half halves|shelf shelves|
calf calves|wolf wolves|thief thieves|scarf scarves|sheep|fish|deer
"""


def _irregular(table: str) -> dict[str, str]:
    rows = (row.split() for row in table.replace("\n", " ").split("|"))
    return {form: base for base, *forms in rows for form in forms}


IRREGULAR = {**_irregular(_NOUNS), **_irregular(_VERBS)}
PLURALS = frozenset(_irregular(_NOUNS)) | {"sheep", "fish", "deer"}
_VOWELS = "aeiou"
_NOUNS_IN_ER = frozenset("litter liver number".split())
"""Nouns that look like a compared adjective: none is more lit, more live or more numb."""


def bases(word: str) -> Iterator[str]:
    """What the base form of a word may be, the likeliest first; the word itself is the first."""
    word = word.lower()
    yield word
    if word in IRREGULAR:
        yield IRREGULAR[word]
    for ending in ("iest", "ier", "ied", "ies"):
        if word.endswith(ending):
            yield word.removesuffix(ending) + "y"
    for ending in ("ing", "est", "ed", "er", "es", "s"):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            yield from _stems(word.removesuffix(ending), ending)


def base(word: str, known: Container[str]) -> str | None:
    """The base form of a word among the known ones.

    Only adjectives are compared, where the part of speech is known: no river is more rive.
    """
    word = word.lower()
    compared = word.endswith(("er", "est"))
    for form in bases(word):
        if form in known and (form == word or not compared or _is_compared(word, form, known)):
            return form
    return None


def _is_compared(word: str, form: str, known: Container[str]) -> bool:
    """Whether a word in -er or -est may be a form of an adjective."""
    entry = known[form] if isinstance(known, Mapping) else None
    return word not in _NOUNS_IN_ER and getattr(entry, "pos", "adjective") == "adjective"


def singular(noun: str) -> str:
    """The singular of a noun, for comparing nouns with each other."""
    noun = noun.lower()
    if noun in PLURALS:
        return IRREGULAR.get(noun, noun)
    if noun.endswith("ies") and len(noun) > 4:
        return noun[:-3] + "y"
    if noun.endswith(("ches", "shes", "sses", "xes", "zes", "toes")):
        return noun[:-2]
    return noun[:-1] if noun.endswith("s") and not noun.endswith(("ss", "us", "is")) else noun


def plural(noun: str) -> bool:
    """Whether a word looks like a plural noun."""
    word = noun.lower()
    return word in PLURALS or (len(word) > 3 and singular(word) != word)


def stem(word: str) -> str:
    """A word without its endings: "baked", "bake" and "baking" are one."""
    word = IRREGULAR.get(word, singular(word))
    word = re.sub(r"(?:ing|ed)$", "", word) if len(word) > 4 else word
    word = re.sub(r"([bdgklmnprt])\1$", r"\1", word)
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


def _stems(stem: str, ending: str) -> Iterator[str]:
    """run|ning, devour|ed, danc|ing, box|es: the stem, with one letter less or an e."""
    if ending == "s":
        yield stem
        return
    if len(stem) > 2 and stem[-1] == stem[-2] and stem[-1] not in _VOWELS:
        yield stem[:-1]
    yield stem
    yield stem + "e"
