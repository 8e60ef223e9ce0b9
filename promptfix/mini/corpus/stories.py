"""All schemas of the generator, and which of them mini never sees.

Those it never sees are for mining and measuring.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

from promptfix.mini.corpus.crossed import CROSSED
from promptfix.mini.corpus.schemas import ALL_SCHEMAS, Schema
from promptfix.mini.corpus.stories_1 import STORIES_1
from promptfix.mini.corpus.stories_2 import STORIES_2
from promptfix.mini.corpus.stories_3 import STORIES_3
from promptfix.mini.corpus.told import told

STORIES: tuple[Schema, ...] = (*STORIES_1, *STORIES_2, *STORIES_3, *told())
STORY_SHARE = 0.82
"""Share of the problems that are told by a concrete story and not by an abstract schema."""


def held_out(schema: Schema) -> bool:
    """Whether a story is kept from training, by the hash of its name (about one in eight)."""
    return sha256(schema.name.encode()).digest()[0] % 8 == 0


def _training() -> tuple[Schema, ...]:
    stories = [s for s in STORIES if not held_out(s)]
    schemas = (*ALL_SCHEMAS, *CROSSED)
    abstract, concrete = sum(s.weight for s in schemas), sum(s.weight for s in stories)
    scale = STORY_SHARE / (1 - STORY_SHARE) * abstract / concrete
    return (*schemas, *(replace(s, weight=s.weight * scale) for s in stories))


TRAINING: tuple[Schema, ...] = _training()
HELD_OUT: tuple[Schema, ...] = tuple(s for s in STORIES if held_out(s))
