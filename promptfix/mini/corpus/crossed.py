"""Schemas in which one story answers many questions: two things, two events, two people.

The same facts stand under several questions, so that only the question tells which numbers count.
"""

from __future__ import annotations

from promptfix.mini.corpus.schemas import S, Schema

_MADE_LOST = "{N} {did} {a} {X} and {b} {Y}. / {N} {lost} {c} {X} and {d} {Y}."
_DAYS = "{N} {did} {a} {X} on {D}, {b}( {X}|) on {E} and {c}( {X}|) on {F}."
_KINDS = "{N} (had to {do}|{did}|has|saw) {a} {X}, {b} {Y} and {c} {Z}."
_DAILY = "{N} has {a} {X} and {b} {Y}. / (Each|Every) day {N} (uses|needs|takes) {n} {X} and {m} {Y}."
_APART = "{N} has {c} (fewer|less) {X} and {d} more {Y} than {M}. / {M} has {a} {X} and {b} {Y}."
_GIFTS = "{N} (got|received|was given) {$a} from {his} (dad|uncle|aunt) and {$b} from {his} (mom|grandmother|sister). / {N} spent {$c}( right away| at the fair|)."
_HOUSES = "(Each|Every) {C1} (gets|needs|holds) {a} {X}. / There are {n} {C} in each of the {m} (room|shop|row|street)s."
_SHARED = "{a} {X} and {b} {Y} (were|are) (shared|divided) (equally |evenly |)(among|by|between) {n} (friend|team|cousin)s."
_PACKED = "{N} (put|packed|has) {a} {X} in {n} {C} and {b} {Y} in {m} {C}, (the same number|as many|equally many) in each."
_SAME_PRICE = "{N} (spent|paid) {$a} (for|on) {n} {X} that (all |)cost the same. / (Now |){N} has {$b} left."
_CAME_WENT = "{a} {X} were (in|at) {P}. / (Then |){b} of them {went} and {c} (others|new ones|more) {came}."
_ONE_AND_OTHER = "{N} had {a} {X} and {M} had {c}. / {N} {lost} some (of them|{X}) and has {b} left."

CROSSED: tuple[Schema, ...] = (
    S("made-more", _MADE_LOST, "How many more {X} than {Y} did {N} {do}?", "a-b", "more {X}", "a>b", weight=1.5),
    S("made-more-y", _MADE_LOST, "How many more {Y} than {X} did {N} {do}?", "b-a", "more {Y}", "b>a"),
    S("lost-more", _MADE_LOST, "How many more {X} than {Y} did {N} {lose}?", "c-d", "more {X} {lost}", "c>d", weight=1.5),
    S("made-than-lost", _MADE_LOST, "How many more {X} did {N} {do} than {lose}?", "a-c", "more {X}", "a>c"),
    S("lost-than-made", _MADE_LOST, "How many more {Y} did {N} {lose} than {do}?", "d-b", "more {Y} {lost}", "d>b"),
    S("made-left", _MADE_LOST, "How many {Y} (are left|does {N} still have|does {N} have left)?", "b-d", "{Y} left", "b>d", weight=1.5),
    S("made-all", _MADE_LOST, "How many {X} and {Y} did {N} {do}( in all| altogether|)?", "a+b", "{X} and {Y}"),
    S("lost-all", _MADE_LOST, "How many {X} and {Y} did {N} {lose}( in all| altogether|)?", "c+d", "{X} and {Y} {lost}"),
    S("left-more", _MADE_LOST, "How many more {X} than {Y} are left?", "a-c; b-d; p-r", "more {X} left", "a>c;b>d;a-c>b-d"),
    S("days-two-than", _DAYS, "How many more {X} did {N} {do} on {D} and {E} than on {F}?", "a+b; r-c", "more {X}", "a+b>c"),
    S("days-than-two", _DAYS, "How many more {X} did {N} {do} on {F} than on {D} and {E}( together|)?", "a+b; c-r", "more {X}", "c>a+b"),
    S("days-fewer", _DAYS, "How many fewer {X} did {N} {do} on {D} than on {E}?", "b-a", "fewer {X}", "b>a"),
    S("days-more-f", _DAYS, "How many more {X} did {N} {do} on {F} than on {E}?", "c-b", "more {X}", "c>b"),
    S("kinds-a-c", _KINDS, "How many more {X} than {Z} (was that|were there|are there)?", "a-c", "more {X}", "a>c", weight=1.5),
    S("kinds-c-a", _KINDS, "How many more {Z} than {X} (was that|were there|are there)?", "c-a", "more {Z}", "c>a"),
    S("kinds-b-c", _KINDS, "How many more {Y} than {Z} (was that|were there|are there)?", "b-c", "more {Y}", "b>c"),
    S("kinds-ac", _KINDS, "How many {X} and {Z} (was that|were there|are there)( in all|)?", "a+c", "{X} and {Z}"),
    S("kinds-bc", _KINDS, "How many {Y} and {Z} (was that|were there|are there)( in all|)?", "b+c", "{Y} and {Z}"),
    S("daily-x", _DAILY, "How (long|many days) will the {X} last?", "a/n", "days", "a=n*q", weight=1.5),
    S("daily-y", _DAILY, "(How (long|many days) will the {Y} last|For how many days are there enough {Y})?", "b/m", "days", "b=m*q"),
    S("daily-use", _DAILY, "How many {X} does {N} (use|need|take) in {t} days?", "t*n", "{X}", "a>n;b>m"),
    S("apart-x", _APART, "How many {X} does {N} have?", "a-c", "{X} {N}", "a>c", weight=1.5),
    S("apart-y", _APART, "How many {Y} does {N} have?", "b+d", "{Y} {N}", "a>c", weight=1.5),
    S("apart-given", _APART, "How many more {X} than {Y} does {M} have?", "a-b", "more {X} {M}", "a>c;a>b"),
    S("gifts-more", _GIFTS, "How much more (money |)did {N} get from {his} (dad|uncle|aunt) than from {his} (mom|grandmother|sister)?", "a-b", "more dollars", "a>b", weight=1.5),
    S("gifts-all", _GIFTS, "How much (money |)did {N} get( in all| altogether|)?", "a+b", "dollars"),
    S("gifts-left", _GIFTS, "How much (money |)(is left|does {N} have left)?", "a+b; r-c", "dollars left", "a+b>c"),
    S("houses-one", _HOUSES, "How many {X} (go to|are for|does it take for) (one|each) (room|shop|row|street)?", "n*a", "{X}", "m>1"),
    S("houses-all", _HOUSES, "How many {C} are there( in all|)?", "n*m", "{C}", "m>1"),
    S("houses-x", _HOUSES, "How many {X} are (needed|there) (in all|altogether)?", "n*m; r*a", "{X}", "m>1;a<20;n<10"),
    S("shared-x", _SHARED, "How many {X} did (each|every) (friend|team|cousin) get?", "a/n", "{X} each", "a=n*q"),
    S("shared-y", _SHARED, "How many {Y} did (each|every) (friend|team|cousin) get?", "b/n", "{Y} each", "b=n*q"),
    S("packed-x", _PACKED, "How many {X} are in (each|one|every) {C1}?", "a/n", "{X} in each {C1}", "a=n*q"),
    S("packed-y", _PACKED, "How many {Y} are in (each|one|every) {C1}?", "b/m", "{Y} in each {C1}", "b=m*q"),
    S("same-price", _SAME_PRICE, "How much did (each|one) {X1} cost? / What (is|was) the price of one {X1}?", "a/n", "dollars each", "a=n*q", weight=1.5),
    S("same-price-first", _SAME_PRICE, "How much (money |)did {N} have (before|at first)?", "a+b", "dollars at first"),
    S("came-went-now", _CAME_WENT, "How many {X} are there now?", "a-b; r+c", "{X} now", "a>b"),
    S("came-than-went", _CAME_WENT, "How many more {X} {came} than {went}?", "c-b", "more {X}", "c>b"),
    S("stayed", _CAME_WENT, "How many of the first {X} (stayed|remained)?", "a-b", "{X} that stayed", "a>b"),
    S("one-and-other", _ONE_AND_OTHER, "How many {X} did {N} {lose}?", "a-b", "{X} {lost}", "a>b", weight=1.5),
    S("one-and-other-now", _ONE_AND_OTHER, "How many more {X} does {M} have than {N} has (now|left)?", "c-b", "more {X}", "a>b;c>b"),
    S("two-changes-start", "{N} {gained} {a} {X} and (then |later |){lost} {b}( of them|). / Now {N} has {c}( {X}|).", "How many {X} did {N} have (at first|before|in the beginning)?", "c+b; r-a", "{X} at first", "c+b>a", weight=1.5),
    S("two-changes-start2", "{N} {lost} {a} {X} and (then |later |){gained} {b}( more|). / Now {N} has {c}( {X}|).", "How many {X} did {N} have (at first|before|in the beginning)?", "c-b; r+a", "{X} at first", "c>b"),
    S("still-needs", "(The plan|The recipe|The job|The game) (calls for|takes|needs) {a} {X}( in all|). / {N} (still needs|still lacks|must get) {b}( more|).", "How many {X} does {N} (already have|have already|have so far)?", "a-b", "{X} so far", "a>b", weight=1.5),
    S("will-have", "(If|When) {N} gets {b} more {X}, {he} will have {a}.", "How many {X} does {N} have (now|so far)?", "a-b", "{X} now", "a>b"),
    S("day-more-than", "On {D} {N} {did} {a} {X}, (which was |){b} more than on {E}.", "How many {X} did {N} {do} on {E}?", "a-b", "{X} on {E}", "a>b"),
    S("day-fewer-than", "On {D} {N} {did} {a} {X}, (which was |){b} fewer than on {E}.", "How many {X} did {N} {do} on {E}?", "a+b", "{X} on {E}"),
    S("part-of-group", "{a} (students|members|guests) were asked. / {b} (chose|wanted|liked) {X} and the (others|rest) (chose|wanted|liked) {Y}.", "How many (chose|wanted|liked) {Y}?", "a-b", "{Y}", "a>b"),
    S("asked-for-given", "There are {a} {X} (in|at) {P}. / {b} {Y} are (in|at) {P} too.", "How many {X} are there?", "a", "{X}", weight=0.5),
)
