"""LDS of TRAK by damping, in units of its default, on two other data sets than digits.

Diabetes, with its target cut into three classes of equal size, is noisy: networks are
often wrong. Wine is easy and small. The networks are those of `baselines.py`; the true
outputs are log-odds of networks trained on half-subsets in batches of 32.
"""

import argparse

import numpy as np
from _machine import describe_machine
from baselines import train_networks
from fidelity import ESTIMATORS
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_wine
from sklearn.preprocessing import StandardScaler

from skdatamodels import Examples, SubsetTrainer, sample_masks
from skdatamodels.influence import trak
from skdatamodels.metrics import linear_datamodeling_score

RATIOS = [0, 0.01, 0.1, 0.3, 1, 3, 10, 100]


def load(name):
    """Return a training set and targets, in the ratio three to one."""
    if name == "wine":
        X, y = load_wine(return_X_y=True)
    else:
        X, y = load_diabetes(return_X_y=True)
        y = np.digitize(y, np.quantile(y, [1 / 3, 2 / 3]))
    X = StandardScaler().fit_transform(X)
    order = np.random.default_rng(0).permutation(len(X))
    parts = np.split(order, [len(X) * 3 // 4])
    return [Examples(X[rows], y[rows]) for rows in parts]


def mean_square(module, train):
    """Return the default damping: the mean squared norm of gradients of log-odds."""
    import torch

    squares = []
    for x, y in zip(train.X, train.y, strict=True):
        module.zero_grad()
        logits = module(torch.tensor(x[None], dtype=torch.float32))[0]
        others = torch.cat([logits[:y], logits[y + 1 :]])
        (logits[y] - others.logsumexp(0)).backward()
        squares.append(sum((p.grad**2).sum().item() for p in module.parameters()))
    return np.mean(squares)


def main():
    """Print LDS by data set, number of networks and damping."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=300)
    arguments = parser.parse_args()
    print(describe_machine())
    for name in ("diabetes", "wine"):
        train, targets = load(name)
        masks = sample_masks(arguments.runs, len(train), 0.5, random_state=1).dense()
        learner = clone(ESTIMATORS["mlp"]).set_params(batch_size=32)
        trainer = SubsetTrainer(
            learner, train, targets, output="log_odds", random_state=0
        )
        outputs = trainer.fit_transform(masks).outputs
        networks = train_networks(train, 10)
        module, states = networks[0][0], [states[-1] for _, states in networks]
        unit = mean_square(module, train)
        print(f"{name}: {len(train)} train, {len(targets)} targets, unit {unit:.0f}")
        for n in (1, 10):
            options = {"checkpoints": states[:n], "output": "log_odds"}
            for ratio in RATIOS:
                influence = trak(
                    module, train, targets, damping=ratio * unit, **options
                )
                lds = linear_datamodeling_score(outputs, masks @ influence.T)
                print(f"{n:>4} networks  damping {ratio:>6} units  LDS {lds:.3f}")


if __name__ == "__main__":
    main()
