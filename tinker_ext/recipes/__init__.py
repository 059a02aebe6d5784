"""A training loop that checkpoints, resumes and recovers, and its parts, to read and to adapt.

    from tinker_ext import recipes

    batches = recipes.Batches(data, size=16, seed=0)
    rate = recipes.cosine(1e-2, steps=200, warmup=10)
    with recipes.Run(connect, "embedded/tiny", folder="runs/telegrams", rank=8) as run:
        run.train(recipes.supervised(batches, rate), steps=200, checkpoint_every=20)

`steps` has the functions for supervised training. Its batches and schedules are pure functions
of the step number, so a resumed run continues with the batch and the learning rate that follow.
`checkpoints` records saved states and deletes old ones. `run` is the loop: another method needs
another `step` function, or a loop of your own with the same parts.
"""

from tinker_ext.recipes.checkpoints import Checkpoints, SavedState
from tinker_ext.recipes.run import Evaluation, Recovery, Run, Step
from tinker_ext.recipes.steps import (
    Batches,
    Schedule,
    constant,
    cosine,
    evaluation,
    linear,
    mean_loss,
    supervised,
)

__all__ = [
    "Batches",
    "Checkpoints",
    "Evaluation",
    "Recovery",
    "Run",
    "SavedState",
    "Schedule",
    "Step",
    "constant",
    "cosine",
    "evaluation",
    "linear",
    "mean_loss",
    "supervised",
]
