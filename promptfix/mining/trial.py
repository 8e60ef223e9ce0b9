"""All that is done to a candidate before it may be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from promptfix.library import Library
from promptfix.measures import Cause, Falsification, Outcomes
from promptfix.microscope import Microscope
from promptfix.mining.candidates import Candidate
from promptfix.mining.cause import Edit, Flips, ablation, auroc, flips, steering
from promptfix.mining.falsification import injections, reworded, top_grams
from promptfix.mining.ordinary import ordinary
from promptfix.mining.outcomes import Bools, annotate
from promptfix.mining.scoring import Scorer
from promptfix.mining.selection import Floats, Ints
from promptfix.sae import Sae
from promptfix.tasks import Item

NEUTRAL = 120
"""Ordinary prompts that grams are put into."""
STRONGEST = 300
"""Prompts that a rule's top grams are taken from."""
FIRING = 60
"""Firing prompts that are reworded."""
ASKED = 40
"""Prompts that are answered under each edit of the residual stream."""


@dataclass(frozen=True)
class Trial:
    """A network with its SAE, and the items of one calibration half."""

    microscope: Microscope
    """Holds all features of the SAE."""
    sae: Sae
    library: Library
    items: Sequence[Item]
    """In the order of a candidate's scores."""
    right: Bools
    """[items]: whether the plain answer is right."""
    seed: int
    max_tokens: int
    own: bool = True
    """Whether the answers are the network's own."""

    def falsify(self, candidate: Candidate) -> Falsification:
        """Inject top grams and reword; of a lexical detector only its look-up rule is tried.

        What else a lexical detector has to withstand are its minimal pairs, the cases by hand.
        """
        if candidate.lexical:
            return Falsification(lookup=candidate.lookup)
        scorer = Scorer(self.microscope, candidate.choice)
        threshold = candidate.calibrated.threshold
        order = np.argsort(-candidate.scores, kind="stable")
        strongest = [self.items[i].prompt for i in order[:STRONGEST].tolist()]
        grams = top_grams(self.microscope, candidate.choice, strongest)
        neutral = list(islice(ordinary(self.seed), NEUTRAL))
        firing = [self.items[i].prompt for i in np.flatnonzero(candidate.fired)[:FIRING].tolist()]
        return Falsification(
            injections=injections(scorer, threshold, grams, neutral, self.seed),
            paraphrase=reworded(scorer, threshold, firing, self.seed),
            lookup=candidate.lookup,
        )

    def cause(self, candidate: Candidate) -> tuple[Cause | None, Outcomes]:
        """Edit the features, and re-read noted prompts. Also: what uncleared findings did.

        Nothing is known of the cause where another model answers: its features cannot be edited.
        """
        scorer = Scorer(self.microscope, candidate.choice)
        fired = np.flatnonzero(candidate.fired)
        fall, uncleared = self._reread(candidate, scorer, fired)
        compared = scorer.compares and not candidate.lexical
        changes = candidate.uplift[fired][uncleared]
        left = Outcomes(
            prompts=candidate.calibrated.prompts,
            annotated=len(changes) if compared else 0,
            repaired=int((changes > 0).sum()) if compared else 0,
            harmed=int((changes < 0).sum()) if compared else 0,
        )
        if not self.own:
            return None, left
        quiet = np.flatnonzero(~candidate.fired & self.right)
        ablated = self._flips(fired, ablation(scorer.features))
        levels = self._levels(scorer, fired)
        steered = self._flips(quiet, steering(levels))
        repaired = candidate.uplift[fired] > 0
        told = Cause(
            fired=ablated.asked,
            ablated_repaired=ablated.repaired,
            ablated_harmed=ablated.harmed,
            quiet=steered.asked,
            steered_repaired=steered.repaired,
            steered_harmed=steered.harmed,
            compared=len(fired) if compared else 0,
            fell=int((fall > 0).sum()) if compared else 0,
            fall_predicts_repair=auroc(fall, repaired) if compared else None,
        )
        return told, left

    def _flips(self, which: Ints, edit: Edit) -> Flips:
        some = which[:ASKED].tolist()
        items = [self.items[i] for i in some]
        network = self.microscope.network
        return flips(network, self.sae, items, self.right[some], edit, self.max_tokens)

    def _levels(self, scorer: Scorer, fired: Ints) -> dict[int, float]:
        """Feature -> how high it goes on the prompts that the detector fires on."""
        texts = [self.items[i].prompt for i in fired[:FIRING].tolist()]
        prompts = scorer.peaks(texts)
        return dict(zip(scorer.features, prompts.max(0).tolist(), strict=True))

    def _reread(self, candidate: Candidate, scorer: Scorer, fired: Ints) -> tuple[Floats, Bools]:
        """[fired]: how far the note lowers the score, and whether it stays above the threshold."""
        texts = [self.items[i].prompt for i in fired.tolist()]
        noted = [self._noted(candidate, text) for text in texts]
        before = scorer.columns(texts)
        after = scorer.after(before, noted)
        return scorer.scores(before) - after, after >= candidate.calibrated.threshold

    def _noted(self, candidate: Candidate, text: str) -> str:
        span = self.library.about(candidate.annotation, text) if candidate.lexical else None
        return annotate(text, candidate.annotation, self.library, span) or text
