"""What the problem generator can tell: one `Schema` per kind of story, in many forms of words.

The little language, expanded by `surface.py`: `(x|y)` is a choice, `{a}` a number, `{$a}` a price, `{N}`, `{M}`, `{O}`
people as subjects (`{N's}` possessive, `{No}` object), `{X}`, `{Y}`, `{Z}` plural things (`{X1}` one of them), `{C}`
containers (`{C1}` one), `{P}` a place, `{T}` a time, `{D}`, `{E}`, `{F}` days, `{did}`/`{do}` an activity, `{gained}`/`{gain}`,
`{lost}`/`{lose}`, `{came}`/`{come}`, `{went}`/`{leave}`, `{U}` a mass material.
Steps are sums over the numbers; `r` is the result before, `p` the one before that.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Schema:
    """One kind of problem: its facts, its questions, and the sums that answer it."""

    name: str
    facts: tuple[str, ...]
    asks: tuple[str, ...]
    steps: tuple[str, ...]
    phrase: str
    draw: str = ""
    """Assignments and conditions on the numbers, separated by `;`."""
    shuffle: bool = False
    weight: float = 1.0
    point: str = ""
    """Letters of amounts that may have decimals. The conditions hold for them in hundredths."""


def S(  # noqa: N802 - a table reads best with a short name
    name: str,
    facts: str,
    asks: str,
    steps: str,
    phrase: str,
    draw: str = "",
    shuffle: bool = False,
    weight: float = 1.0,
) -> Schema:
    """One row of the tables: facts and questions are separated by ` / `, steps by `; `."""
    told, asked, sums = facts.split(" / "), asks.split(" / "), steps.split("; ")
    return Schema(name, tuple(told), tuple(asked), tuple(sums), phrase, draw, shuffle, weight)


HAD = "(had|has|owned|had saved|started with|had collected|already had|had about|began with)"
MORE = "( more|| extra| additional| other)"
ALL = "( altogether| in all| in total|| now| all together)"

CHANGE = [
    S("join", f"{{N}} {HAD} {{a}} {{X}}( {{T}}|). / (Then |Later |){{N}} {{gained}} {{b}}{MORE} (ones|{{X}})( {{T}}|).", f"How many {{X}} does {{N}} have{ALL}? / (What is the total number of|How many) {{X}} (that {{N}} has|does {{N}} have) now? / Find the number of {{X}} {{N}} has{ALL}.", "a+b", "{X}", weight=2),
    S("join-gift", f"{{N}} {HAD} {{a}} {{X}}. / {{M}} gave {{No}} {{b}}{MORE} ({{X}}|).", f"How many {{X}} does {{N}} have{ALL}? / How many {{X}} will {{N}} have{ALL}?", "a+b", "{X}"),
    S("join-set", "There (were|are) {a} {X} (in|at|near|by) {P}. / (Then |){b} more ({X}|) {came}( {T}|).", "How many {X} (are|were) there (now|in all|in {P} now|altogether)? / How many {X} are (now |)(in|at) {P}?", "a+b", "{X}"),
    S("join-put", "There (were|are) {a} {X} in the {C1}. / {N} (put|placed|added|dropped) {b} more ({X} |)in(to|) the {C1}.", "How many {X} are (now |)(there |)in the {C1}( now| in total|)?", "a+b", "{X} in the {C1}"),
    S("separate", f"{{N}} {HAD} {{a}} {{X}}( {{T}}|). / (Then |Later |){{N}} {{lost}} {{b}} (of them|{{X}}|of the {{X}}|of {{his}} {{X}})( {{T}}|).", "How many {X} (does {N} have (left|now)|did {N} have left|are left|remain|does {N} still have|will {N} have left)? / What is the number of {X} {N} has left?", "a-b", "{X} left", "a>b", weight=3),
    S("separate-gift", f"{{N}} {HAD} {{a}} {{X}}. / {{N}} gave {{b}} (of them|{{X}}|of {{his}} {{X}}) to {{M}}.", "How many {X} (does {N} have (left|now)|did {N} have left|does {N} still have)?", "a-b", "{X} left", "a>b", weight=1.5),
    S("separate-gift-order", "{N} gave {b} {X} to {M}. / {N} (had|started with) {a} {X} (at first|before that|to begin with|).", "How many {X} does {N} have (left|now)?", "a-b", "{X} left", "a>b"),
    S("separate-set", "There (were|are) {a} {X} (in|at|near|by|on) {P}. / (Then |){b} (of them|{X}|of the {X}) {went}( {T}|).", "How many {X} (are|were) (left|still there|still in {P}|left in {P})? / How many {X} (remained|stayed)?", "a-b", "{X} left", "a>b"),
    S("separate-take", "There (were|are) {a} {X} in the {C1}. / {N} (took|removed|took out|picked) {b} ({X} |)(from|out of) the {C1}.", "How many {X} are (now |)(left |still |)in the {C1}( now|)?", "a-b", "{X} in the {C1}", "a>b"),
    S("gain-unknown", f"{{N}} {HAD} {{a}} {{X}}. / (Then |)(After {{N}} {{gained}} some more, {{N}} had {{b}} {{X}}|{{N}} {{gained}} some more {{X}}. Now {{N}} has {{b}} {{X}}|Now {{N}} has {{b}}|{{N}} {{gained}} more and now has {{b}} {{X}}).", "How many ({X} |more {X} |more |)did {N} {gain}?", "b-a", "{X} {gained}", "b>a", weight=2),
    S("gain-unknown-gift", f"{{N}} {HAD} {{a}} {{X}}. / {{M}} gave {{No}} some more. / Now {{N}} has {{b}} {{X}}( in all|).", "How many {X} did {M} give (to |){No}? / How many {X} did {N} get from {M}?", "b-a", "{X} given", "b>a"),
    S("lose-unknown", f"{{N}} {HAD} {{a}} {{X}}. / (Then |){{N}} {{lost}} some( of them| {{X}}|). / (Now {{N}} has {{b}} {{X}} left|{{N}} has {{b}} left|There are {{b}} {{X}} left now).", "How many {X} did {N} {lose}? / How many (of the |){X} did {N} {lose}?", "a-b", "{X} {lost}", "a>b", weight=2),
    S("lose-unknown-set", "There were {a} {X} (in|at|on) {P}. / (After some of them {went}, (only |){b} were left|Some of them {went} and {b} (stayed|remained|were left)|Now there are {b}).", "How many {X} {went}? / How many of the {X} {went}?", "a-b", "{X} {went}", "a>b"),
    S("start-unknown-gain", "{N} had some {X}. / (Then |){N} {gained} {a} more( {X}|)( {T}|). / Now {N} has {b} {X}( in all| altogether|).", "How many {X} did {N} have (at first|at the start|in the beginning|before|to start with|to begin with)?", "b-a", "{X} at first", "b>a", weight=2),
    S("start-unknown-gain2", "{N} {gained} {a} {X} {T}. / (Now {N} has|That makes|{N} ended up with|With these {N} has) {b} {X}( in all| altogether|).", "How many {X} did {N} have (at first|at the start|in the beginning|before|before that)? / How many {X} did {N} already have?", "b-a", "{X} before", "b>a"),
    S("start-unknown-lose", "{N} had some {X}. / (Then |){N} {lost} {a} (of them|{X})( {T}|). / Now {N} has {b} {X}( left|).", "How many {X} did {N} have (at first|at the start|in the beginning|before|to start with|to begin with|originally)?", "a+b", "{X} at first", weight=2),
    S("start-unknown-lose2", "(After|When) {N} {lost} {a} {X}, {N} had {b} (left|remaining|still).", "How many {X} did {N} have (at first|at the start|in the beginning|before)? / How many {X} were there (at first|in the beginning)?", "a+b", "{X} at first"),
    S("start-unknown-set", "(Some|There were some) {X} (were |)(in|at) {P}. / {a} more {X} {came}. / Now there are {b} {X}( there| in {P}|).", "How many {X} were there (at first|at the start|before)?", "b-a", "{X} at first", "b>a"),
    S("gain-lose", f"{{N}} {HAD} {{a}} {{X}}. / {{N}} {{gained}} {{b}} more( {{X}}|)( {{T}}|). / (Then |Later |){{N}} {{lost}} {{c}} (of them|{{X}}).", "How many {X} does {N} have (left|now|in the end)?", "a+b; r-c", "{X} left", "a+b>c", weight=1.5),
    S("lose-gain", f"{{N}} {HAD} {{a}} {{X}}. / {{N}} {{lost}} {{b}} (of them|{{X}})( {{T}}|). / (Then |Later |){{N}} {{gained}} {{c}} more( {{X}}|).", "How many {X} does {N} have (now|in the end)?", "a-b; r+c", "{X}", "a>b"),
    S("lose-lose", f"{{N}} {HAD} {{a}} {{X}}. / {{N}} {{lost}} {{b}} (of them|{{X}})( {{T}}|) (and then|. Then {{N}}) (gave {{c}} to {{M}}|lost {{c}} more|sold {{c}}|broke {{c}}).", "How many {X} does {N} have (left|now)? / How many {X} (remain|are left)?", "a-b; r-c", "{X} left", "a>b+c"),
    S("bus", "A (bus|train|boat) had {a} (passengers|people|riders) on it. / At the (first |next |)stop, {b} (passengers |people |)got off and {c} (more |)got on.", "How many (passengers|people|riders) (are|were) on the (bus|train|boat) (now|after that|then)?", "a-b; r+c", "people", "a>b"),
    S("bus-net", "There were {a} (children|students|people) on the bus. / At the (bus |)stop {b} (more |)(children|students|people) got on. / (Then |At the next stop )(some|some of them) got off. / Now there are {c} on the bus.", "How many (children|students|people) got off( the bus|)?", "a+b; r-c", "got off", "a+b>c"),
    S("bus-change", "There were {a} (children|students|people) riding on the bus. / At the stop some (more |)got on. / Now there are {b} (children|students|people) (altogether |)on the bus.", "How many (children|students|people) got on( the bus| at the stop|)?", "b-a", "got on", "b>a"),
    S("how-many-got-off", "At the stop {b} (children|people) got off the bus while (some|{c}) (children|people) got on. / Before that there were {a} on the bus.", "How many (children|people) got off?", "b", "people", "a>b", weight=0.5),
    S("how-many-before", "At the stop {b} (children|people) got off the bus while (some|{c}) (children|people) got on. / Before that there were {a} on the bus.", "How many (children|people) were on the bus (at first|before the stop)?", "a", "people", "a>b", weight=0.5),
    S("more-to-goal", "{N} (needs|wants|has to {do}|must {do}) {a} {X}. / {N} (already has|has already {did}|has|{did}) {b}( {X}| so far|).", "How many more {X} does {N} (need|have to {do}|still need)? / How many (more |){X} does {N} still (need|have to {do})?", "a-b", "more {X}", "a>b", weight=1.5),
    S("parallel", "{N} had {a} {X} and {b} {Y}. / {N} {lost} {c} {X} and {d} {Y}.", "How many {X} (did {N} have left|does {N} have left|are left|does {N} have now)?", "a-c", "{X} left", "a>c;b>d", weight=2.5),
    S("parallel-b", "{N} had {a} {X} and {b} {Y}. / {N} {lost} {c} {Y} and {d} {X}.", "How many {X} (did {N} have left|does {N} have left|are left|does {N} have now)?", "a-d", "{X} left", "a>d;b>c", weight=2),
    S("parallel-gain", "{N} had {a} {X} and {b} {Y}. / {N} {gained} {c} more {X} and {d} more {Y}.", "How many {X} (did {N} have|does {N} have) (now|in the end)?", "a+c", "{X}"),
    S("parallel-total", "{N} had {a} {X} and {b} {Y}. / {N} {lost} {c} {X}.", "How many {X} and {Y} (does {N} have left|are left)( in all| together|)?", "a+b; r-c", "{X} and {Y} left", "a>c"),
    S("parallel-diff", "{N} {lost} {a} {X} and {gained} {b} {Y}. / {N} (now has|has) {c} {X} (left |)and {d} {Y}.", "How many {X} did {N} have (at first|before|in the beginning)?", "a+c", "{X} at first", weight=1),
    S("lost-vs-gained", "{N} {gained} {a} {X} but {lost} {b}( of them|).", "How many more {X} did {N} {gain} than {lose}?", "a-b", "more {X}", "a>b"),
    S("lost-vs-gained2", "{N} {lost} {a} {X} and {gained} {b} new ones.", "How many more {X} does {N} have (now |)than before? / By how many did the number of {X} (grow|go up)?", "b-a", "more {X}", "b>a"),
    S("money-spend", "{N} had {$a}( in {his} (wallet|pocket|purse|bank)|). / {N} (spent|paid) {$b} (on|for) (a {X1}|some {X}|{X}|{U}).", "How much (money |)does {N} have (left|now)? / How (much money|many dollars) (is|are) left?", "a-b", "dollars left", "a>b", weight=2),
    S("money-spend2", "{N} had {$a}. / {N} (spent|paid) {$b} (on|for) (a {X1}|some {X}) and {$c} (on|for) (a {Y1}|some {Y}).", "How much (money |)does {N} have (left|now)? / How many dollars does {N} have left?", "b+c; a-r", "dollars left", "a>b+c"),
    S("money-spent-two", "{N} (spent|paid) {$b} (on|for) (a {X1}|some {X}) and {$c} (on|for) (a {Y1}|some {Y})( at the (store|shop|market)|).", "How much (money |)did {N} spend( in all| altogether|)? / How (much|many dollars) did {N} pay( in all|)?", "b+c", "dollars spent"),
    S("money-left-spent", "{N} had {$a}. / (After|When {N} had) (buying|bought) (a {X1}|some {X}), {N} had {$b} left.", "How much (did {N} spend|did the {X} cost|money did {N} spend|did {N} pay)?", "a-b", "dollars spent", "a>b", weight=1.5),
    S("money-start", "{N} (spent|paid) {$a} (on|for) (a {X1}|some {X}). / (Now |){N} has {$b} left.", "How much (money |)did {N} have (at first|before|to begin with|in the beginning)?", "a+b", "dollars at first", weight=1.5),
    S("money-gain", "{N} had {$a}. / {N} (earned|got|was given|made) {$b} (for (washing cars|mowing lawns|helping {M}|{his} birthday|selling {X})|from {M}).", "How much (money |)does {N} have( now| altogether|)?", "a+b", "dollars"),
    S("money-gap", "(A|The) {X1} costs {$a}. / {N} has {$b}( saved| so far|).", "How (much|many) more (money |dollars |)does {N} need( to (buy|get) the {X1}|)?", "a-b", "more dollars", "a>b", weight=1.5),
    S("change-back", "{N} bought (a {X1}|some {X}) for {$b}. / {N} (paid with|gave the clerk) {$a}.", "How much change (did|should|will) {N} get( back|)?", "a-b", "change", "a>b"),
    S("temperature", "(In the morning|At noon|On {D}) (it|the temperature) was {a} degrees. / (By evening|Later|On {E}) it had (fallen|dropped|gone down) (by |){b} degrees.", "What was the temperature (then|in the evening|after that)? / How many degrees was it then?", "a-b", "degrees", "a>b"),
    S("growth", "(A|The) (tree|plant|boy|puppy|building) (was|stood) {a} (inches|feet|centimeters) tall (last year|at first|{T}). / (Now it is|It is now|It grew to) {b} (inches|feet|centimeters)( tall|).", "How (much|many (inches|feet|centimeters)) did (it|the (tree|plant|boy|puppy)) grow?", "b-a", "growth", "b>a"),
    S("birth-year", "{N} (is|was) {a} years old (now|today). ", "How old (was {N} {b} years ago)?", "a-b", "years", "a>b"),
    S("age-later", "{N} is {a} years old( now| today|).", "How old will {N} be in {b} years? / How old will {N} be {b} years from now?", "a+b", "years"),
    S("age-both", "{N} is {a} years old and {M} is {b} years old.", "What (is|will be) the sum of their ages (now|today)? / How old are they (together|in all)?", "a+b", "years together"),
]

COMBINE = [
    S("combine", "{N} has {a} {X}( and|. {N} also has) {b} {Y}.", f"How many (things|items|{{X}} and {{Y}}) does {{N}} have{ALL}? / How many {{X}} and {{Y}} are there( in all| altogether|)?", "a+b", "{X} and {Y}", weight=1.5),
    S("combine-people", "{N} (has|{did}|owns) {a} {X}( and|.|, while) {M} (has|{did}|owns) {b}( {X}|).", "How many {X} do they have( altogether| in all| together| in total)? / How many {X} do {N} and {M} have( altogether| in all| together|)?", "a+b", "{X} together", weight=1.5),
    S("combine-do", "{N} {did} {a} {X} {T}. / {M} {did} {b}( {X}|).", "How many {X} did (they|{N} and {M}) {do}( altogether| in all| together| in total)?", "a+b", "{X} together"),
    S("combine-days", "{N} {did} {a} {X} on {D} and {b}( {X}| more|) on {E}.", "How many {X} did {N} {do}( altogether| in all| in total| on the two days)?", "a+b", "{X}", weight=1.5),
    S("combine-three", "{N} {did} {a} {X} on {D}, {b}( {X}|) on {E} and {c}( {X}|) on {F}.", "How many {X} did {N} {do}( altogether| in all| in total| on the three days)?", "a+b; r+c", "{X}", weight=1.5),
    S("combine-three-kinds", "(There are|{N} has|The {C1} has|{N} {did}) {a} {X}, {b} {Y} and {c} {Z}( in the {C1}|).", "How many (things|items|of them) (are there|are there in all|is that in total)? / How many {X}, {Y} and {Z} are there( in all|)?", "a+b; r+c", "in all"),
    S("pick-two-days", "{N} {did} {a} {X} on {D}, {b}( {X}|) on {E} and {c}( {X}|) on {F}.", "How many {X} did {N} {do} on {D} and {F}( together|)?", "a+c", "{X} on {D} and {F}"),
    S("pick-two-days2", "{N} {did} {a} {X} on {D}, {b}( {X}|) on {E} and {c}( {X}|) on {F}.", "How many {X} did {N} {do} on {E} and {F}( together|)?", "b+c", "{X} on {E} and {F}"),
    S("part-unknown", "{N} has {b} {XY}( in all| altogether|). / {a} of (them|the {XY}) are {Xadj}( and the (rest|others) are {Yadj}|).", "How many( of them| {XY}|) are (not {Xadj}|{Yadj})?", "b-a", "{Yadj} {XY}", "b>a", weight=1.5),
    S("part-unknown2", "There are {b} {X} and {Y} (in (all|total)|altogether) (in|at) {P}. / {a} (of them |)are {X}.", "How many {Y} are there( in {P}|)? / How many (of them |)are {Y}?", "b-a", "{Y}", "b>a", weight=1.5),
    S("part-unknown-people", "{N} and {M} have {b} {X} (together|altogether|in all). / {N} has {a}( {X}| of them|).", "How many ({X} |)does {M} have?", "b-a", "{X}", "b>a"),
    S("part-unknown-do", "{N} and {M} {did} {b} {X}( together|). / {N} {did} {a}( of them| {X}|).", "How many ({X} |)did {M} {do}?", "b-a", "{X} {M}", "b>a"),
    S("class-girls", "There are {b} (students|children|pupils|players) (in|on) the (class|team|room|club|choir). / {a} (of them |)are girls.", "How many are boys? / How many boys are (there|in the (class|team|room|club|choir))?", "b-a", "boys", "b>a", weight=0.4),
    S("class-boys", "There are {b} (students|children|pupils|players) (in|on) the (class|team|room|club|choir). / {a} (of them |)are boys.", "How many are girls? / How many girls are (there|in the (class|team|room|club|choir))?", "b-a", "girls", "b>a", weight=0.4),
    S("room-adults", "There are {b} (people|visitors|guests) (in|at) the (room|hall|museum|party|club). / {a} (of them |)are adults.", "How many are children? / How many children are (there|in the (room|hall|museum|party|club))?", "b-a", "children", "b>a", weight=0.4),
    S("measure-join", "{N} (has|used|needs) {a} (pounds|cups|liters|meters|feet|ounces|gallons) of {U} and {b} (more|more (pounds|cups|liters|meters|feet|ounces)) {T}.", "How much {U} (did|does) {N} (use|have|need)( in all|)?", "a+b", "{U}"),
    S("measure-two", "{N} (walked|ran|rode|drove) {a} (miles|meters|blocks|kilometers) (to {P}|in the morning|on {D}) and (then |){b} (miles|meters|blocks|kilometers) (back|home|in the evening|on {E}).", "How (far|many (miles|meters|blocks|kilometers)) did {N} (walk|run|ride|drive|go)( altogether| in all|)?", "a+b", "distance"),
]

COMPARE = [
    S("diff-people", "{N} (has|{did}|found) {a} {X}(.| and|, while) {M} (has|{did}|found) {b}( {X}|).", "How many more {X} (does {N} have|did {N} {do}) than {M}? / How many fewer {X} (does {M} have|did {M} {do}) than {N}? / What is the difference between {N's} and {M's} number of {X}?", "a-b", "more {X}", "a>b", weight=2),
    S("diff-people-rev", "{N} (has|{did}) {a} {X}(.| and|, while) {M} (has|{did}) {b}( {X}|).", "How many more {X} (does {M} have|did {M} {do}) than {N}? / How many fewer {X} (does {N} have|did {N} {do}) than {M}?", "b-a", "more {X}", "b>a", weight=1.5),
    S("diff-kinds", "{N} (has|{did}|saw|bought) {a} {X} and {b} {Y}.", "How many more {X} than {Y} (does {N} have|did {N} {do}|are there)? / How many fewer {Y} than {X} (does {N} have|are there)? / What is the difference between the number of {X} and the number of {Y}?", "a-b", "more {X} than {Y}", "a>b", weight=2.5),
    S("diff-kinds-rev", "{N} (has|{did}|saw|bought) {a} {X} and {b} {Y}.", "How many more {Y} than {X} (does {N} have|did {N} {do}|are there)? / How many fewer {X} than {Y} (does {N} have|are there)?", "b-a", "more {Y} than {X}", "b>a", weight=2),
    S("diff-set", "There (are|were) {a} {X} and {b} {Y} (in|at|on) {P}.", "How many more {X} than {Y} (are|were) there? / How many fewer {Y} than {X} (are|were) there?", "a-b", "more {X} than {Y}", "a>b"),
    S("diff-days", "{N} {did} {a} {X} on {D} and {b}( {X}|) on {E}.", "How many more {X} did {N} {do} on {D} than on {E}? / How many fewer {X} did {N} {do} on {E} than on {D}?", "a-b", "more {X} on {D}", "a>b", weight=1.5),
    S("diff-days3", "{N} {did} {a} {X} on {D}, {b}( {X}|) on {E} and {c}( {X}|) on {F}.", "How many more {X} did {N} {do} on {D} than on {F}? / How many fewer {X} did {N} {do} on {F} than on {D}?", "a-c", "more {X} on {D}", "a>c", weight=1.2),
    S("diff-days3b", "{N} {did} {a} {X} on {D}, {b}( {X}|) on {E} and {c}( {X}|) on {F}.", "How many more {X} did {N} {do} on {E} than on {D}? / How many fewer {X} did {N} {do} on {D} than on {E}?", "b-a", "more {X} on {E}", "b>a"),
    S("four-way", "{N} {did} {a} {X} and {b} {Y}. / {M} {did} {c} {X} and {d} {Y}.", "How many more {X} did {N} {do} than {M}? / How many fewer {X} did {M} {do} than {N}?", "a-c", "more {X}", "a>c", weight=1.5),
    S("four-way-y", "{N} {did} {a} {X} and {b} {Y}. / {M} {did} {c} {X} and {d} {Y}.", "How many more {Y} did {M} {do} than {N}? / How many fewer {Y} did {N} {do} than {M}?", "d-b", "more {Y}", "d>b"),
    S("four-way-sum", "{N} {did} {a} {X} and {b} {Y}. / {M} {did} {c} {X} and {d} {Y}.", "How many {X} did (they|{N} and {M}) {do}( in all| together| altogether|)?", "a+c", "{X} together"),
    S("four-way-all", "{N} {did} {a} {X} and {b} {Y}. / {M} {did} {c} {X} and {d} {Y}.", "How many (things|{X} and {Y}) did {M} {do}( in all| together| altogether|)?", "c+d", "{X} and {Y} {M}"),
    S("more-than", "{N} (has|{did}) {a} {X}. / {M} (has|{did}) {b} more ({X} |)than {N}.", "How many {X} (does {M} have|did {M} {do})?", "a+b", "{X} {M}", weight=2),
    S("more-than-first", "{M} (has|{did}) {b} more {X} than {N}. / {N} (has|{did}) {a}( {X}|).", "How many {X} (does {M} have|did {M} {do})?", "a+b", "{X} {M}", weight=1.5),
    S("less-than", "{N} (has|{did}) {a} {X}. / {M} (has|{did}) {b} (fewer|less) ({X} |)than {N}.", "How many {X} (does {M} have|did {M} {do})?", "a-b", "{X} {M}", "a>b", weight=2),
    S("less-than-first", "{M} (has|{did}) {b} (fewer|less) {X} than {N}. / {N} (has|{did}) {a}( {X}|).", "How many {X} (does {M} have|did {M} {do})?", "a-b", "{X} {M}", "a>b"),
    S("more-reversed", "{N} (has|{did}) {a} {X}, which is {b} more than {M}( has|). ", "How many {X} (does {M} have|did {M} {do})?", "a-b", "{X} {M}", "a>b", weight=1.5),
    S("more-reversed2", "{N} (has|{did}) {b} more {X} than {M}. / {N} (has|{did}) {a}( {X}|).", "How many {X} (does {M} have|did {M} {do})?", "a-b", "{X} {M}", "a>b", weight=2),
    S("less-reversed", "{N} (has|{did}) {a} {X}, which is {b} (fewer|less) than {M}( has|). ", "How many {X} (does {M} have|did {M} {do})?", "a+b", "{X} {M}", weight=1.2),
    S("less-reversed2", "{N} (has|{did}) {b} (fewer|less) {X} than {M}. / {N} (has|{did}) {a}( {X}|).", "How many {X} (does {M} have|did {M} {do})?", "a+b", "{X} {M}", weight=2),
    S("more-kinds", "(There are|{N} has) {b} more {X} than {Y}( (in|at) {P}|). / There are {a} {Y}.", "How many {X} are there?", "a+b", "{X}"),
    S("more-kinds-rev", "(There are|{N} has) {b} more {X} than {Y}( (in|at) {P}|). / There are {a} {X}.", "How many {Y} are there?", "a-b", "{Y}", "a>b", weight=1.2),
    S("more-today", "{N} {did} {a} {X} (yesterday|on {D}|last week) and {b} (more than that|more ({X} |)) (today|on {E}|this week).", "How many {X} did {N} {do} (today|on {E}|this week)?", "a+b", "{X}"),
    S("age-older", "{N} is {a} years old. / {M} is {b} years older than {N}.", "How old is {M}?", "a+b", "years {M}", weight=1.2),
    S("age-younger", "{N} is {a} years old. / {M} is {b} years younger than {N}.", "How old is {M}?", "a-b", "years {M}", "a>b", weight=1.2),
    S("age-older-rev", "{N} is {b} years older than {M}. / {N} is {a}( years old|).", "How old is {M}?", "a-b", "years {M}", "a>b"),
    S("age-diff", "{N} is {a} years old and {M} is {b}( years old|).", "How (much|many years) older is {N} than {M}? / How (much|many years) younger is {M} than {N}?", "a-b", "years older", "a>b"),
    S("measure-diff", "(The {X1}|{N's} {X1}) (is|measures) {a} (inches|feet|meters|centimeters|miles) (long|tall|high|wide) and (the {Y1}|{M's} {X1}) (is|measures) {b}( (inches|feet|meters|centimeters|miles)|).", "How much (longer|taller|higher|wider) is the (first|{X1})? / What is the difference?", "a-b", "difference", "a>b"),
    S("weigh-diff", "The {X1} weighs {a} (pounds|kilograms|grams|ounces|tons). / The {Y1} weighs {b} (pounds|kilograms|grams|ounces|tons).", "How much (more does the {X1} weigh|heavier is the {X1}) than the {Y1}? / How much less does the {Y1} weigh than the {X1}?", "a-b", "difference", "a>b"),
    S("cost-diff", "A {X1} costs {$a} and a {Y1} costs {$b}.", "How much more (does the {X1} cost|expensive is the {X1}|is the {X1}) than the {Y1}? / How much cheaper is the {Y1}( than the {X1}|)?", "a-b", "difference", "a>b", weight=1.3),
    S("discount", "(A|The|Each) {X1} (costs|usually costs|is sold for|had a price of) {$a}. / (If there is|There is|The store gives) a discount of {$b}( on each (one|{X1})| today|).", "How much (do you have to pay|does {N} pay|is the {X1}|does it cost)( for (one|each {X1})| now| after the discount|)? / What is the (new|sale) price?", "a-b", "price", "a>b", weight=1.3),
    S("compare-total", "{N} (has|{did}) {a} {X}. / {M} (has|{did}) {b} more ({X} |)than {N}.", "How many {X} (do they have|did they {do}) (together|in all|altogether)?", "a+b; a+r", "{X} together"),
    S("compare-total-less", "{N} (has|{did}) {a} {X}. / {M} (has|{did}) {b} (fewer|less) ({X} |)than {N}.", "How many {X} (do they have|did they {do}) (together|in all|altogether)?", "a-b; a+r", "{X} together", "a>b"),
    S("twice", "{N} (has|{did}) {a} {X}. / {M} (has|{did}) (twice|two times) as many( {X}|)( as {N}|).", "How many {X} (does {M} have|did {M} {do})?", "2*a", "{X} {M}", "a<60"),
    S("times-as-many", "{N} (has|{did}) {a} {X}. / {M} (has|{did}) {t} times as many( {X}|)( as {N}|).", "How many {X} (does {M} have|did {M} {do})?", "t*a", "{X} {M}", "a<60", weight=1.5),
    S("times-rev", "{N} (has|{did}) {a} {X}, which is {t} times as many as {M}. ", "How many {X} (does {M} have|did {M} {do})?", "a/t", "{X} {M}", "a=t*q"),
    S("times-rev2", "{N} (has|{did}) {t} times as many {X} as {M}. / {N} (has|{did}) {a}( {X}|).", "How many {X} (does {M} have|did {M} {do})?", "a/t", "{X} {M}", "a=t*q"),
    S("how-many-times", "{N} (has|{did}) {a} {X}(.| and) {M} (has|{did}) {t}( {X}|).", "How many times as many ({X} |)(does {N} have|did {N} {do}) as {M}?", "a/t", "times", "a=t*q"),
    S("half", "{N} (has|{did}) {a} {X}. / {M} (has|{did}) half as many( {X}|)( as {N}|).", "How many {X} (does {M} have|did {M} {do})?", "a/2", "{X} {M}", "a=2*q"),
    S("before-after", "(The price of a {X1} was {$a} {T}|Last year the {X1} cost {$a}). / Now it (costs|is) {$b}.", "How much did the price (rise|go up|increase)?", "b-a", "dollars more", "b>a"),
]

GROUPS = [
    S("groups", "{N} (has|bought|filled|{did}) {n} {C} of {X}. / (Each {C1} (has|holds|contains)|There are|Every {C1} has) {a} {X}( in (each|every) {C1}| in it|).", f"How many {{X}} (does {{N}} have|are there|did {{N}} {{do}}){ALL}?", "n*a", "{X}", weight=2.5),
    S("groups-with", "(There are|{N} has|{N} {did}) {n} {C} with {a} {X} (in each|each|in each {C1}|in every one)( (in|at) {P}|).", f"How many {{X}} (are there|does {{N}} have){ALL}? / What is the total number of {{X}}?", "n*a", "{X}", weight=1.5),
    S("groups-each-first", "(Each|Every|A|One) {C1} (holds|has|can hold|contains|comes with) {a} {X}.", "How many {X} (are (there |)in|do|can|would be in) {n} {C}( hold|)?", "n*a", "{X}", weight=1.5),
    S("groups-people", "{n} (children|friends|students|workers|people) each {did} {a} {X}.", "How many {X} did they {do}( in all| altogether| together)?", "n*a", "{X}"),
    S("arrange", "{N} (put|arranged|planted|placed|lined up) (the|some|{his}) {X} in {n} rows with {a} (in each row|{X} in each|in a row|{X} per row).", "How many {X} (did {N} (plant|have|place)|are there)( in all|)?", "n*a", "{X}"),
    S("share", "{N} has {a} {X}. / {N} (wants to (share|divide|split) them (equally |evenly |)(among|between)|(shares|divides|splits) them (equally |evenly |)(among|between)|gives the same number to each of) {n} (friends|children|people|students).", "How many {X} (does each (friend|child|one|of them) get|will each (person|one) get|did each get)?", "a/n", "{X} each", "a=n*q", weight=2),
    S("share-groups", "{N} (puts|packs|divides|separates|organizes|put|divided) {a} {X} (equally |)into {n} (equal |){C}.", "How many {X} (are|go|will be|were) in each {C1}? / How (big|large) is each {C1}( of {X}|)?", "a/n", "{X} in each {C1}", "a=n*q", weight=2.5),
    S("share-there", "(There are|{N} has|{N} bought) {a} {X} in {n} {C}. / (All the|The|Each of the) {C} (have|hold|has) the same number( of {X}|).", "How many {X} are in each {C1}? / How many {X} does (each|one) {C1} have?", "a/n", "{X} in each {C1}", "a=n*q", weight=1.5),
    S("how-many-groups", "{N} has {a} {X}. / (Each|Every|A|One) {C1} (holds|has|can hold|needs|fits) {n}( {X}|).", "How many {C} (does {N} need|can {N} fill|will {N} need|are needed|are there)?", "a/n", "{C}", "a=n*q", weight=2.5),
    S("how-many-groups2", "{N} (put|puts|packs|packed|places|wants to put|organizes) {a} {X} (in|into) {C} (of|with) {n}( {X}|)( each| in each|).", "How many {C} (does {N} (need|have|use)|will there be|did {N} (fill|use)|are there)?", "a/n", "{C}", "a=n*q", weight=2),
    S("how-many-groups3", "There are {a} {X}( in {P}|). / {n} {X} (fit in|go in|make|can sit in) (a|each|one) {C1}.", "How many {C} (are needed|are there|will there be)( for all of them|)?", "a/n", "{C}", "a=n*q"),
    S("two-kinds-groups", "There are {a} {X} and {b} {Y} (in|at) {P}. / (If the|The) {X} are (organized|sorted|divided|put) into {n} {C} and (the |){Y} (are organized |)into {m} {C}.", "How (big|large) is each {C1} of {X}? / How many {X} are in each {C1}( of {X}|)?", "a/n", "{X} in each {C1}", "a=n*q", weight=1.5),
    S("two-kinds-groups2", "There are {a} {X} and {b} {Y} (in|at) {P}. / (If the|The) {Y} are (organized|sorted|divided|put) into {n} {C} and (the |){X} (are organized |)into {m} {C}.", "How (big|large) is each {C1} of {Y}? / How many {Y} are in each {C1}( of {Y}|)?", "b/n", "{Y} in each {C1}", "b=n*q"),
    S("price", "(Each|One|A) {X1} (costs|is|is sold for|sells for) {$a}. / {N} (bought|buys|wants|sold) {n}( of them| {X}|).", "How much (did|does|will) {N} (pay|spend|get|need)( in all| altogether|)? / What (is|was) the total (cost|price)? / How much (do|would) {n} {X} cost?", "n*a", "dollars", "a<100", weight=2),
    S("price-each", "{N} (paid|spent) {$a} (for|on) {n} {X}( of the same price| that cost the same|).", "How much (did each {X1} cost|did {N} pay for each|was each {X1}|does one {X1} cost)?", "a/n", "dollars each", "a=n*q", weight=1.5),
    S("how-many-bought", "(Each|One|A) {X1} (costs|is sold for) {$n}. / {N} (has|spent|paid|got) {$a}( on {X}| for {X}|).", "How many {X} (can {N} buy|did {N} buy|could {N} get|did {N} sell)?", "a/n", "{X}", "a=n*q", weight=1.5),
    S("rate-total", "{N} {did} {a} {X} (each|every|a|per) (day|hour|week|month|minute) for {n} (day|hour|week|month|minute)s.", "How many {X} did {N} {do}( in all| altogether| in total|)?", "n*a", "{X}", weight=1.5),
    S("rate-total2", "{N} can {do} {a} {X} (each|every|a|per|in one|in an) (day|hour|week|minute).", "How many {X} can {N} {do} in {n} (day|hour|week|minute)s?", "n*a", "{X}"),
    S("rate-time", "{N} {did} {a} {X} in {n} (day|hour|week|minute)s.", "How many {X} did {N} {do} (each|every|a|per) (day|hour|week|minute)? / (If {N} {did} the same number each (day|hour|week|minute), how|How) many was that (per|each) (day|hour|week|minute)?", "a/n", "{X} each", "a=n*q", weight=1.5),
    S("rate-time2", "{N} (has to|must|wants to) {do} {a} {X}. / {N} can {do} {n} ({X} |)(each|every|a|per) (day|hour|week|minute).", "How (many (day|hour|week|minute)s|long) (will it take|does {N} need|will {N} need)?", "a/n", "time", "a=n*q", weight=1.5),
    S("book-days", "(A|The) book has {a} pages. / {N} reads {n} pages (a|each|every|per) day.", "How many days (will it take|does {N} need) (to (read|finish) the book|)?", "a/n", "days", "a=n*q"),
    S("book-chapters2", "{N} read a book of {a} pages. / (The|It was divided into) {n} chapters( have the same number of pages|).", "How many pages are in (each|one) chapter?", "a/n", "pages in each chapter", "a=n*q"),
    S("speed", "(A|The) (car|train|bus|boat|truck) (goes|travels|drives|moves) {a} (miles|kilometers) (an|per|each|every) hour.", "How far (does|will) it (go|travel) in {n} hours? / How many (miles|kilometers) does it go in {n} hours?", "n*a", "distance"),
    S("speed2", "{N} (drove|rode|traveled) {a} (miles|kilometers) in {n} hours.", "How (fast|many (miles|kilometers) an hour) did {N} (go|drive|travel)? / What was the speed?", "a/n", "speed", "a=n*q"),
    S("earn", "{N} (earns|gets|is paid|makes) {$a} (per|every|each) (hour|day|week).", "How much (does|will) {N} (earn|get|make) in {n} (hour|day|week)s?", "n*a", "dollars", weight=0.6),
    S("earn-each", "{N} (earns|gets|is paid|makes) {$a} for each {X1}.", "How much (does|will) {N} (earn|get|make) for {n}( {X}|)?", "n*a", "dollars", weight=0.4),
    S("weeks", "{N} {did} {a} {X} (every day|each day|a day) for {n} weeks.", "How many {X} did {N} {do}( in all|)?", "7*n; r*a", "{X}", "n<7;a<12"),
    S("area", "(A|The) (garden|room|field|rug|wall|yard) is {a} (feet|meters|yards) long and {n} (feet|meters|yards) wide.", "What is (its|the) area( of the (garden|room|field|rug|wall)|)?", "n*a", "area"),
    S("perimeter", "(A|The) (garden|room|field|rug|yard) is {a} (feet|meters|yards) long and {b} (feet|meters|yards) wide.", "What is (its|the) perimeter? / How long is the (fence|border|edge) around it?", "a+b; 2*r", "perimeter", "a<100;b<100"),
    S("square", "(Each|Every) side of (a|the) square (garden|room|table|card) is {a} (feet|meters|inches) long.", "What is the perimeter?", "4*a", "perimeter", "a<100"),
    S("groups-left", "{N} (has|bought|made) {n} {C} of {X} with {a} (in each|each|{X} in each {C1}). / {N} {lost} {b} (of them|{X}).", "How many {X} (does {N} have left|are left)?", "n*a; r-b", "{X} left", "n*a>b", weight=1.5),
    S("groups-plus", "{N} has {n} {C} of {X} with {a} (in each|each|{X} in each {C1}). / {N} also has {b} (loose {X}|{X} that are not in a {C1}|more {X}).", f"How many {{X}} does {{N}} have{ALL}?", "n*a; r+b", "{X}", weight=1.2),
    S("two-groups", "{N} (bought|has|packed) {n} {C} of {X} and {m} {C} of {Y}. / (There are|Each {C1} has) {a} (in each {C1}|things|in each).", "How many (things|{X} and {Y}) (did {N} buy|does {N} have|are there)( in all|)?", "n+m; r*a", "in all", "m<12"),
    S("two-groups2", "{N} (has|bought|packed) {n} {C} with {a} {X} each and {m} {C} with {b} {Y} each.", "How many ({X} and {Y}|things) does {N} have( in all|)?", "n*a; m*b; p+r", "in all", "m<10;a<30;b<30"),
    S("two-groups-ask1", "{N} (has|bought|packed) {n} {C} with {a} {X} each and {m} {C} with {b} {Y} each.", "How many {X} does {N} have( in all|)?", "n*a", "{X}", "m<10;a<30;b<30"),
    S("two-groups-ask2", "{N} (has|bought|packed) {n} {C} with {a} {X} each and {m} {C} with {b} {Y} each.", "How many {Y} does {N} have( in all|)?", "m*b", "{Y}", "m<10;a<30;b<30"),
    S("buy-two", "(A|Each) {X1} costs {$a} and (a|each) {Y1} costs {$b}. / {N} bought {n} {X} and {m} {Y}.", "How much did {N} (pay|spend)( in all|)? / What was the total( cost|)?", "n*a; m*b; p+r", "dollars", "m<10;a<30;b<30"),
    S("buy-one", "(A|Each) {X1} costs {$a} and (a|each) {Y1} costs {$b}. / {N} bought {n} {X}.", "How much did {N} (pay|spend)( in all|)? / What was the total( cost|)?", "n*a", "dollars", "a<60;b<60"),
    S("share-after", "{N} had {a} {X} and {M} had {b}( {X}|). / They (put them together and |)(shared|divided) them (equally |evenly |)among {n} (friends|children|people).", "How many {X} did each (one|friend|child|person) get?", "a+b; r/n", "{X} each", "b=n*q-a;b>0", weight=1.2),
    S("left-groups", "{N} had {a} {X}. / {N} {lost} {b} (of them|{X}) and (put|packed) the rest (equally |)into {n} {C}.", "How many {X} (are|did {N} put) in each {C1}?", "a-b; r/n", "{X} in each {C1}", "a=n*q+b;b>0", weight=1.2),
    S("left-groups2", "{N} had {a} {X}. / {N} {lost} {b} (of them|{X}). / {N} put the rest into {C} (of|with) {n}( each| in each|).", "How many {C} (did {N} (fill|use|need|make)|are there)?", "a-b; r/n", "{C}", "a=n*q+b;b>0", weight=1.2),
    S("sum-groups", "{N} has {a} {X} and {b} {Y}. / {N} (wants to put|puts|put) (all of them|them) into {C} (of|with) {n}( each| in each|).", "How many {C} (does {N} need|will there be|can {N} make)?", "a+b; r/n", "{C}", "b=n*q-a;b>0"),
    S("spend-each", "{N} had {$a}. / {N} bought {n} {X} for {$b} each.", "How much (money |)does {N} have left?", "n*b; a-r", "dollars left", "b<30;a>n*b", weight=1.2),
    S("afford", "{N} had {$a} and (earned|got|found) {$b} more. / (A|Each) {X1} costs {$n}.", "How many {X} can {N} buy?", "a+b; r/n", "{X}", "b=n*q-a;b>0"),
    S("afford2", "{N} had {$a}. / {N} (spent|paid) {$b} (on|for) a {Y1}. / (A|Each) {X1} costs {$n}.", "How many {X} can {N} buy with the (rest|money that is left)?", "a-b; r/n", "{X}", "a=n*q+b;b>0"),
    S("remainder", "{N} has {a} {X}. / {N} (puts them|packs them|shares them) (equally |)into {n} {C}.", "How many {X} are left over?", "a%n", "{X} left over", "a>n"),
    S("percent", "{a} (students|people|{X}) (are|were) (in|at) {P}. / {k} percent of them (left|are {Xadj}|came by bus|went home).", "How many( of them|) (left|are {Xadj}|came by bus|went home)?", "a*k/100", "number", "k=pick(10,20,25,50,50,75,100);a=pick(20,40,60,80,100,120,200)"),
    S("half-of", "{N} had {a} {X}. / {N} (gave away|ate|sold|lost|used) half of (them|the {X}).", "How many {X} (are left|does {N} have left|did {N} (give away|eat|sell|lose|use))?", "a/2", "{X}", "a=2*q"),
    S("third-of", "{N} had {a} {X}. / (A (third)|One third) of (them|the {X}) (are|were) {Xadj}.", "How many {X} (are|were) {Xadj}?", "a/3", "{Xadj} {X}", "a=3*q"),
    S("legs", "There are {n} (dogs|cats|horses|cows|pigs|sheep|rabbits|tables|chairs) (in|at) {P}. / Each (one |)has 4 legs.", "How many legs are there( in all|)?", "n*4", "legs", "n<40"),
]

OTHER = [
    S("unit-total", "{N} (bought|has|{did}) {n} {units} of {X}.", "How many {X} (is that|does {N} have|did {N} {do})?", "n*u", "{X}", "n<12", weight=1.5),
    S("unit-minus", "{N} (bought|has|made) a {unit} of {X}. / {N} {lost} {b} (of them|{X}).", "How many {X} (are left|does {N} have left)?", "u-b", "{X} left", "b<u", weight=1.5),
    S("unit-time", "(The trip|The game|The job|The lesson|The storm) (lasted|took) {n} {tunits}.", "How many {tparts} is that? / How many {tparts} did it (take|last)?", "n*u", "{tparts}", "n<12"),
    S("unit-plus", "{N} (bought|has|made) a {unit} of {X} and {b} {Y}.", "How many (things|{X} and {Y}) does {N} have( in all|)?", "u+b", "in all"),
    S("unit-price", "{N} (bought|sold) {n} {units} of {X}. / (Each|One) {X1} costs {$b}.", "How much did {N} (pay|get)( in all|)?", "n*u; r*b", "dollars", "n<4;b<6"),
    S("sum", "", "What is {a} plus {b}? / What is the sum of {a} and {b}? / Add {a} and {b}. / {a} + {b} = ? / What do you get if you add {b} to {a}?", "a+b", "sum", weight=1.5),
    S("difference", "", "What is {a} minus {b}? / What is the difference between {a} and {b}? / Take {b} (away |)from {a}. / {a} - {b} = ? / Subtract {b} from {a}. / How much more is {a} than {b}?", "a-b", "difference", "a>b", weight=1.5),
    S("product", "", "What is {a} times {n}? / What is the product of {a} and {n}? / Multiply {a} by {n}. / {a} * {n} = ? / {a} x {n} = ?", "a*n", "product", weight=1.5),
    S("quotient", "", "What is {a} divided by {n}? / Divide {a} by {n}. / {a} / {n} = ? / How many times does {n} go into {a}?", "a/n", "quotient", "a=n*q", weight=1.5),
    S("think-of", "{N} (thinks|thought) of a number. / (If|When) {N} adds {a}( to it|), the result is {b}.", "What is the number?", "b-a", "number", "b>a"),
    S("think-of2", "{N} (thinks|thought) of a number. / (If|When) {N} takes {a} away( from it|), the result is {b}.", "What is the number?", "a+b", "number"),
    S("think-of3", "{N} (thinks|thought) of a number. / (If|When) {N} multiplies it by {n}, the result is {a}.", "What is the number?", "a/n", "number", "a=n*q"),
    S("score-sum", "(The home team|{N's} team) (scored|got|made) {a} (points|goals|runs) in the first half and {b}( more|) in the second half.", "How many (points|goals|runs) did (they|the team) (score|get)( in all|)?", "a+b", "points"),
    S("score-diff", "{N's} team scored {a} points and {M's} team scored {b}( points|).", "By how many points did {N's} team win? / How many more points did {N's} team score?", "a-b", "points more", "a>b"),
    S("games", "{N's} team played {a} games. / (They|It) won {b}( of them|).", "How many (games |)did (they|the team) lose?", "a-b", "games lost", "a>b"),
    S("year", "{N} was born in the year {y}.", "How old was {N} in {z}?", "z-y", "years", "y=pick(1950,1960,1971,1984,1992,1999);z=y+q;q>0"),
    S("average", "{N} {did} {a} {X} on {D} and {b}( {X}|) on {E}.", "What is the average( number of {X} per day|)? / How many {X} did {N} {do} per day on average?", "a+b; r/2", "average", "b=2*q-a;b>0"),
    S("floors", "(A|The) (building|tower|hotel) has {n} floors. / There are {a} (rooms|windows|apartments|doors) on (each|every) floor.", "How many (rooms|windows|apartments|doors) (are there|does it have)( in all|)?", "n*a", "in all"),
    S("recipe", "{N} needs {a} (cups|spoons|bags) of {U} for one (cake|pie|loaf of bread|pot).", "How many (cups|spoons|bags) (does {N} need|are needed) for {n} of them?", "n*a", "needed"),
    S("recipe-more", "(The|A) recipe (calls for|needs|asks for) {a} cups of {U} and {b} cups of {V}. / {N} (already put in|has already added) {c} cups of {U}.", "How many more cups of {U} does {N} need( to add|)?", "a-c", "more cups of {U}", "a>c", weight=1.5),
    S("recipe-diff", "(The|A) recipe (calls for|needs|asks for) {a} cups of {U} and {b} cups of {V}.", "How many more cups of {U} than (cups of |){V} (does {N} need|are needed)?", "a-b", "more cups of {U}", "a>b"),
    S("liquid", "(A|The) (tank|barrel|jug|bottle|bucket) (held|had) {a} (liters|gallons|cups) of {U}. / {b} (liters|gallons|cups) (leaked|were poured) out.", "How (much {U}|many (liters|gallons|cups)) (is|are) left?", "a-b", "left", "a>b"),
    S("lead-run", "{N} {exdid} {a} {ex}. / {M} {exdid} {b} more {ex} than {N}.", "How many {ex} did {M} {exdo}?", "a+b", "{ex} {M}"),
    S("lead-run2", "{N} {exdid} {a} {ex}. / {M} {exdid} {b} (less|fewer) {ex} than {N}.", "How many {ex} did {M} {exdo}?", "a-b", "{ex} {M}", "a>b", weight=1.3),
    S("lead-run3", "{N} {exdid} {a} {ex} today. / {N} {exdid} {b} more {ex} than {M}.", "How many {ex} did {M} {exdo}?", "a-b", "{ex} {M}", "a>b", weight=1.3),
    S("ex-sum", "{N} {exdid} {a} {ex} on {D}, {b} on {E} and {c} on {F}.", "How many {ex} did {N} {exdo}( in all| altogether|)?", "a+b; r+c", "{ex}"),
    S("ex-diff", "{N} {exdid} {a} {ex} and {M} {exdid} {b}( {ex}|).", "How many more {ex} did {N} {exdo} than {M}?", "a-b", "more {ex}", "a>b"),
    S("ex-both", "{N} {exdid} {a} {ex}. / {M} {exdid} {b} more {ex} than {N}.", "How many {ex} did they {exdo} (together|in all|altogether)?", "a+b; a+r", "{ex} together"),
    S("look-up", "{N} has {a} {X}. / {M} has {b} {Y}. / {O} has {c} {Z}.", "How many {Y} does {M} have?", "b", "{Y}", shuffle=True),
    S("look-up2", "{N} {did} {a} {X} on {D}, {b} on {E} and {c} on {F}.", "How many {X} did {N} {do} on {E}?", "b", "{X} on {E}"),
    S("look-up3", "{N} has {a} {X}, {b} {Y} and {c} {Z}.", "How many {Z} does {N} have?", "c", "{Z}"),
    S("look-up4", "{N} has {a} {X} and {b} {Y}. / {M} has {c} {X} and {d} {Y}.", "How many {X} does {M} have?", "c", "{X} {M}", shuffle=True),
    S("look-up5", "There are {a} {X} in the first {C1}, {b} in the second and {c} in the third.", "How many {X} are in the third {C1}?", "c", "third {C1}"),
]

ALL_SCHEMAS: tuple[Schema, ...] = tuple(CHANGE + COMBINE + COMPARE + GROUPS + OTHER)

DISTRACTORS = """{N} (also |)has {e} {W}. | {N} is {e} years old. | It took {N} {e} minutes. | {M} has {e} {W}. | There (are|were) {e} {W} (in|at) {P}. | {N} {did} {e} {W} {T}. | It was {e} degrees outside. | {N} lives at number {e}. | {N's} (brother|sister|friend) has {e} {W}. | {N} walked {e} miles. | {N} paid {$e} for a {W1}. | The {C1} was {e} inches wide. | {M} {did} {e} {W}. | {N} gave {M} {e} {W}. | {N} read {e} pages of a book. | The trip took {e} hours. | There were {e} people (in|at) {P}. | {N} also {gained} {e} {W}. | {N} also {lost} {e} {W}.""".split(" | ")
FILLERS = """It was a (sunny|rainy|cold|windy|busy) day. | {N} was very happy. | {N} likes {X} very much. | {N} went to {P}. | {N} and {M} are (friends|neighbors|cousins). | {N} was getting ready for a party. | {N} works (in|at) {P}. | {M} came to help. | {N} was cleaning {his} room. | {N's} class went on a trip. | {N} (loves|collects|sells) {X}. | It was {D}. | {N} was (baking|playing|shopping|working) {T}.""".split(" | ")
