"""Which output to model: normality of the outputs of repeated trainings on a subset.

Networks on digits are trained on the same half-subsets with different seeds. Because
the seeds are the same for each output, all outputs are from the same trainings.
"""

import argparse
from pathlib import Path

import numpy as np
from _machine import describe_machine
from training import make_mlp

from skdatamodels import SubsetTrainer, sample_masks
from skdatamodels.datasets import load_digits_examples
from skdatamodels.metrics import normality_p_values
from skdatamodels.plotting import NormalityDisplay
from skdatamodels.training import TorchLearner

OUTPUTS = ["margin", "log_odds", "confidence", "cross_entropy", "correctness"]


def main():
    """Print shares of targets by p-value, and save the figure if requested."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--subsets", type=int, default=2)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    print(describe_machine())
    train, targets = load_digits_examples()
    learner = TorchLearner(make_mlp, epochs=15)
    subsets = sample_masks(arguments.subsets, len(train), 0.5, random_state=1).dense()
    masks = np.repeat(subsets, arguments.repeats, axis=0)
    p_values = {}
    for output in OUTPUTS:
        trainer = SubsetTrainer(learner, train, targets, output=output, random_state=0)
        repeats = trainer.fit_transform(masks).outputs
        repeats = repeats.reshape(arguments.subsets, arguments.repeats, -1)
        p = p_values[output] = normality_p_values(repeats.swapaxes(0, 1))
        shares = "  ".join(f"{np.mean(p <= x):.3f}" for x in (0.01, 0.05, 0.1, 0.5))
        constant = np.isnan(p).mean()
        print(
            f"{output:<14} p at most .01 .05 .1 .5: {shares}  constant {constant:.3f}",
            flush=True,
        )
    if arguments.picture:
        NormalityDisplay(p_values).plot().figure_.savefig(arguments.picture)


if __name__ == "__main__":
    main()
