"""What looking costs a request: quiet and repaired ones against plain ones, in one process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from eval.cost_models import folder_of, pipeline_of, prompt_of
from promptfix.chat import encode_ids
from promptfix.detection import detect
from promptfix.network import Network
from promptfix.pipeline import Pipeline
from promptfix.records import Prompt, Sampling

NEW = 64
SAMPLING = Sampling(max_tokens=NEW)
Row = dict[str, Any]


def medians(pairs: int, **works: Callable[[], object]) -> tuple[dict[str, float], list[Row]]:
    """Run all works in turn, `pairs` times after one to warm up: median seconds, and each round."""
    rounds: list[Row] = []
    for number in range(pairs + 1):
        seconds: Row = {}
        for name, work in works.items():
            began = time.perf_counter()
            work()
            seconds[name] = time.perf_counter() - began
        rounds += [seconds] if number else []
    return {name: statistics.median(row[name] for row in rounds) for name in works}, rounds


def ratio(rounds: list[Row], above: str, below: str) -> float:
    """The median of the ratios within each round: what slows one down slows the other too."""
    return statistics.median(row[above] / row[below] for row in rounds)


@torch.inference_mode()
def generate(network: Network, prompt: Prompt) -> None:
    """Answer with transformers' own `generate`, tokenising included."""
    ids = network.tensor([encode_ids(network.tokenizer, prompt)])
    network.model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=NEW,
        min_new_tokens=NEW,
        do_sample=False,
        pad_token_id=0,
    )


def rows(models: list[str], lengths: list[int], work: Path, pairs: int) -> Iterator[Row]:
    """Measure each model at each length that its context allows."""
    for name in models:
        folder = folder_of(name, work)
        quiet, noisy = (unstopped(pipeline_of(folder, fires=fires)) for fires in (False, True))
        network: Network = quiet.model.network  # pyright: ignore[reportAttributeAccessIssue]
        for length in dict.fromkeys(min(each, network.context - 2 * NEW) for each in lengths):
            text, tokens = prompt_of(network, length)
            about = {
                "model": name,
                "parameters": network.model.num_parameters(),
                "prompt_tokens": tokens,
                "new_tokens": NEW,
                "pairs": pairs,
                "device": str(network.model.device),
            }
            for measured in (_quiet(quiet, text, pairs), _repaired(noisy, text, pairs)):
                yield about | measured


def unstopped(pipeline: Pipeline) -> Pipeline:
    """The same with a model that no token ends, so that all answers are equally long."""
    network: Any = replace(pipeline.model.network, stops=frozenset())  # pyright: ignore[reportAttributeAccessIssue]
    network.model.generation_config.eos_token_id = None
    pipeline.model.network = pipeline.microscope.network = network  # pyright: ignore[reportAttributeAccessIssue]
    return pipeline


def _quiet(pipeline: Pipeline, text: str, pairs: int) -> Row:
    prompt, microscope, model = Prompt(text=text), pipeline.microscope, pipeline.model
    network: Network = model.network  # pyright: ignore[reportAttributeAccessIssue]
    ids = encode_ids(network.tokenizer, prompt)
    look = microscope.read(prompt)
    assert pipeline.answer(prompt, sampling=SAMPLING).action == "none"
    seconds, rounds = medians(
        pairs,
        generate=partial(generate, network, prompt),
        plain=partial(model.answer, prompt, sampling=SAMPLING),
        quiet=partial(pipeline.answer, prompt, sampling=SAMPLING),
        prefill=partial(network.read, ids),
        # With what was read handed in, only the slice, the records and the matching are left.
        reading=lambda: detect(microscope.read(prompt, look.prefill).reading, pipeline.rules),
    )
    return {
        "part": "quiet",
        "quiet_over_generate": ratio(rounds, "quiet", "generate"),
        "quiet_over_plain": ratio(rounds, "quiet", "plain"),
        "reading_over_prefill": ratio(rounds, "reading", "prefill"),
        "ms": {name: 1000 * value for name, value in seconds.items()},
    }


def _repaired(pipeline: Pipeline, text: str, pairs: int) -> Row:
    prompt, model = Prompt(text=text), pipeline.model
    network: Network = model.network  # pyright: ignore[reportAttributeAccessIssue]
    trace = pipeline.answer(prompt, sampling=SAMPLING)
    assert trace.action == "repaired", trace.failure
    annotated = trace.in_force

    def naively() -> None:
        """Answer, look at the prompt in a pass of its own, and answer again."""
        model.answer(prompt, sampling=SAMPLING)
        pipeline.microscope.read(prompt)
        model.answer(annotated, sampling=SAMPLING)

    seconds, rounds = medians(
        pairs,
        generate=partial(generate, network, annotated),
        plain=partial(model.answer, annotated, sampling=SAMPLING),
        repaired=partial(pipeline.answer, prompt, sampling=SAMPLING),
        naive=naively,
    )
    return {
        "part": "repaired",
        "annotated_tokens": len(encode_ids(network.tokenizer, annotated)),
        "repaired_over_generate": ratio(rounds, "repaired", "generate"),
        "repaired_over_plain": ratio(rounds, "repaired", "plain"),
        "naive_over_plain": ratio(rounds, "naive", "plain"),
        "ms": {name: 1000 * value for name, value in seconds.items()},
    }
