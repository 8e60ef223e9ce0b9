"""sae-lens' trainer for several SAEs at once, with checkpoints that a later run goes on from.

Importing this imports sae_lens, which takes seconds.
"""

import json
import shutil
from pathlib import Path
from typing import Any, cast

from sae_lens.config import SAETrainerConfig
from sae_lens.training.multi_sae_trainer import MultiSAETrainer
from tqdm import tqdm

from promptfix.training.activations import Activations

STATE = "state.json"
"""Written last: a checkpoint without it is unfinished."""


class Trainer(MultiSAETrainer):
    """Trains in lockstep; keeps the newest checkpoint only; shows how much time is left."""

    def __init__(
        self,
        cfg: SAETrainerConfig,
        saes: dict[str, Any],
        hook_names: dict[str, str],
        data_provider: Activations,
        plan: str,
    ) -> None:
        """Go on from the newest checkpoint, if there is one.

        Raises ValueError if it is not of `plan`, a digest of all that decides the result.
        """
        super().__init__(cfg, saes, hook_names, cast("Any", data_provider))
        self._activations, self._plan = data_provider, plan
        states = Path(str(cfg.checkpoint_path)).glob(f"*/{STATE}")
        if newest := max(states, key=lambda file: int(file.parent.name), default=None):
            self._resume(newest)
        self._begun_at = self.n_training_samples

    def save_checkpoint(self, checkpoint_name: str, wandb_aliases: list[str] | None = None) -> None:
        """Write a checkpoint, and remove those before it."""
        super().save_checkpoint(checkpoint_name, wandb_aliases)
        checkpoint = Path(str(self.cfg.checkpoint_path)) / checkpoint_name
        state = {"plan": self._plan, "documents": self._activations.read}
        (checkpoint / STATE).write_text(json.dumps(state), "utf-8")
        for other in checkpoint.parent.iterdir():
            if other != checkpoint:
                shutil.rmtree(other)

    def _resume(self, newest: Path) -> None:
        state = json.loads(newest.read_text("utf-8"))
        if state["plan"] != self._plan:
            raise ValueError("they were made with another plan")
        self.load_checkpoint(newest.parent)
        self._activations.skip(state["documents"])
        self.checkpoint_thresholds = [
            at for at in self.checkpoint_thresholds if at > self.n_training_samples
        ]

    def _update_pbar(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, step_outputs: dict[str, Any], pbar: "tqdm[Any]"
    ) -> None:
        if not pbar.n:  # what an earlier run did took no time in this one
            pbar.n = pbar.initial = pbar.last_print_n = self._begun_at
        losses = ", ".join(f"{output.loss.item():.3f}" for output in step_outputs.values())
        pbar.set_description(f"training, loss {losses}", refresh=False)
        pbar.update(self.n_training_samples - pbar.n)
