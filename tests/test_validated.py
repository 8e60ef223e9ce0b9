"""A feature that goes with a context is validated, one that goes with nothing is not."""

import numpy as np
from scipy import sparse

from eval.validated import Half, half, precisions
from promptfix.microscope import Microscope
from promptfix.network import load_network
from promptfix.sae import Sae
from tests.tiny import save_model, save_sae

WORDS = 30


def _halves(seed):
    """Contexts by chance, and firings: on word 3, after word 4, on nothing in particular."""
    rng = np.random.default_rng(seed)
    token, before = rng.integers(0, WORDS, 4000), rng.integers(0, WORDS, 4000)
    rows = np.arange(4000)
    contexts = sparse.csr_matrix(
        (np.ones(8000, dtype=np.float32), (np.tile(rows, 2), np.r_[token, WORDS + before])),
        shape=(4000, 3 * WORDS),
    )
    fires = np.stack([token == 3, before == 4, rng.random(4000) < 1 / WORDS], axis=1)
    return Half(None, contexts), sparse.csc_matrix(fires.astype(np.float32))


def test_contexts_validate_what_goes_with_them():
    """A feature of a token and one of the token before hold on unseen texts; chance does not."""
    (fixed, here), (unseen, there) = _halves(0), _halves(1)
    token, before, chance = precisions((here, there), fixed, unseen, token=True)
    assert token > 0.9
    assert before > 0.9
    assert chance < 0.5


def test_without_the_token_a_token_detector_is_not_validated():
    """What only the token tells is lost; what the context tells stays."""
    (fixed, here), (unseen, there) = _halves(0), _halves(1)
    token, before, _ = precisions((here, there), fixed, unseen, token=False)
    assert token < 0.5
    assert before > 0.9


def test_the_positions_are_those_of_the_users_tokens(tmp_path):
    """One row for each token of the user's, each with itself and what stands before it."""
    network = load_network(save_model(tmp_path / "model"))
    microscope = Microscope(network, Sae.load(save_sae(tmp_path / "sae")), "tiny")
    found = half(microscope, ["Tom has 12 apples.", "How many?"], len(network.tokenizer))
    assert len(found.residuals) == found.contexts.shape[0] > 6
    assert found.contexts.sum(1).min() >= 2
