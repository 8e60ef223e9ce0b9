"""Ordinary prompts that are none of the tasks: neutral ground for falsification and false fires.

Written by a small grammar: chat turns, errands, code, lists, other languages, system-like texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random

_CHOICE = re.compile(r"\{(\w+)\}")
_LINES = """
Can you recommend a good {food} place near the {place}?
What should I {do} on a rainy {day} in {city}?
Write a short {text} to my {person} about {topic}.
Please translate this sentence into {language}: The {thing} is on the {thing}.
Who wrote the book about {topic} that everybody in {city} talks about?
Explain {topic} to a child.
My {thing} is broken and the {person} is away. What would you do?
Summarise this paragraph: {prose} {prose}
Rewrite this politely: {prose}
{prose} {prose} Is that a good beginning for a story?
Give me three names for a {animal}.
What is the difference between a {thing} and a {thing}?
Is it safe to {do} with a {animal} in the {place}?
Turn this into a list: {thing}, {thing}, {food} and {food}.
- buy {food}\\n- call the {person}\\n- {do} on {day}\\nPut these in a good order.
def {name}(items):\\n    return [item for item in items if item]\\nWhat does this function do?
for {name} in range(10):\\n    print({name})\\nWhy does this print nothing?
SELECT {name} FROM {name}s WHERE city = '{city}';\\nExplain this query.
Fix this JSON: {{"{name}": "{city}", "day": "{day}"
TypeError: '{name}' object is not callable. What does that mean?
git says that my branch has diverged. How do I get rid of the {name} commit?
Wie komme ich am {day} nach {city}?
Was ist der Unterschied zwischen einem Haus und einer Wohnung in {city}?
Quel temps fait-il a {city} aujourd'hui?
Ecris une lettre courte pour ma soeur a {city}.
Donde esta la biblioteca de {city}, por favor?
Che cosa si mangia di buono a {city}?
You are a helpful assistant of the {place} in {city}. Answer in {language}. {prose} User: {prose}
You are an editor. Keep the style, mend the spelling, never add facts. Text: {prose} {prose}
Say hello to my {person}.
Thank you, that was very helpful!
Hi, how are you today?
Tell me a joke about a {animal}.
I feel {feeling} today. My {person} did not call. What can I do?
What do people in {city} eat in the morning?
Draft an email to the {person}: the {thing} will be late because of {topic}.
Compare {language} and {language}.
Which {food} goes well with {food}?
Describe the {place} in one sentence.
Why does the {animal} sleep all day?
Plan a walk through {city} with stops at the {place} and the {place}.
Continue: {prose}
Find the spelling mistake: {prose}
What rhymes with {thing}?
"""
_WORDS = {
    "food": "pizza soup curry bread cheese fish rice salad pasta cake".split(),
    "place": "station library museum harbour market church park river school hotel".split(),
    "do": "cook read run swim paint travel dance rest sing write".split(),
    "day": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(),
    "city": "Lisbon Berlin Oslo Prague Vienna Madrid Dublin Rome Paris Athens".split(),
    "text": "poem letter message speech note story review invitation".split(),
    "person": "sister neighbour teacher boss friend doctor cousin landlord".split(),
    "topic": "gardening music weather history football photography space cooking".split(),
    "language": "German French Spanish Italian Dutch Polish Danish Greek".split(),
    "thing": "lamp bicycle phone window kettle chair ticket umbrella printer door".split(),
    "animal": "dog cat parrot rabbit horse goldfish tortoise hedgehog".split(),
    "name": "user order index value total row node path".split(),
    "feeling": "tired happy lonely nervous proud bored".split(),
    "prose": [
        "The {person} walked along the {place} and thought of {city}.",
        "It was late, and the {thing} stood by the {thing}.",
        "Nobody at the {place} knew much about {topic}.",
        "On {day} the {animal} slept in the sun.",
        "We met at the {place}, drank tea and talked about {topic}.",
        "The old {thing} made a strange noise whenever it rained.",
        "She liked {food}, but her {person} preferred {food}.",
        "There is a small {place} behind the {place} in {city}.",
    ],
}
KINDS = tuple(line.replace("\\n", "\n") for line in _LINES.strip().splitlines())


def ordinary(seed: int) -> Iterator[str]:
    """Prompts without end; equal seeds give equal streams."""
    rng = Random(seed)
    while True:
        text = rng.choice(KINDS)
        if rng.random() < 0.2:
            text = f"{rng.choice(_WORDS['prose'])} {text}"
        yield _filled(text, rng)


def _filled(text: str, rng: Random) -> str:
    while found := _CHOICE.search(text):
        text = text[: found.start()] + rng.choice(_WORDS[found[1]]) + text[found.end() :]
    return text.replace("{{", "{")
