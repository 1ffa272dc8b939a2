"""LDS of datamodels with a prior, by number of runs, on digits.

The prior is the influence function of a logistic regression on the same digits, in
closed form, which costs one fit. The runs are the networks of `fidelity.py`. Controls:
no prior, a random one, and the prior with the opposite sign.
"""

import argparse

import numpy as np
from _machine import describe_machine
from fidelity import make_trainer
from sklearn.linear_model import LogisticRegression

from skdatamodels import DatamodelRegressor, TrainingRuns, sample_masks
from skdatamodels.datasets import load_digits_examples
from skdatamodels.influence import logistic_influence
from skdatamodels.metrics import lds_interval


def main():
    """Print LDS with intervals by number of runs and prior."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, nargs="+", default=[100, 250, 500, 1000])
    parser.add_argument("--every", type=int, default=4, help="take every k-th target")
    parser.add_argument("--store", default="benchmarks/runs")
    arguments = parser.parse_args()
    print(describe_machine())
    train, targets = load_digits_examples()
    trainer = make_trainer("mlp", train, targets, "log_odds", arguments.store)
    runs = trainer.fit_transform(np.arange(max(arguments.runs)))
    held_out = sample_masks(500, len(train), 0.5, random_state=1).dense()
    truth = trainer.transform(held_out).outputs[:, :: arguments.every]
    tau = logistic_influence(LogisticRegression(), train, targets)[:: arguments.every]
    score = lds_interval(truth, held_out @ tau.T, random_state=0)
    print(f"the prior alone, without a run: LDS {score.score:.3f}")
    priors = {
        "no prior": None,
        "influence": tau,
        "sign turned": -tau,
        "random": np.random.default_rng(0).standard_normal(tau.shape),
    }
    for n_runs in arguments.runs:
        part = TrainingRuns(
            runs.packed[:n_runs], runs.outputs[:n_runs, :: arguments.every]
        )
        for name, prior in priors.items():
            model = DatamodelRegressor(prior=prior, n_jobs=-1, random_state=0).fit(part)
            score, low, high = lds_interval(
                truth, model.predict(held_out), random_state=0
            )
            print(
                f"{n_runs:>6} runs  {name:<12} LDS {score:.3f} [{low:.3f}, {high:.3f}]"
            )


if __name__ == "__main__":
    main()
