"""Value of cheap attribution matrices as priors of datamodels.

LDS of DatamodelRegressor(prior=...) by prior and number of runs, on digits or
Fashion-MNIST (Debian: dataset-fashion-mnist), for a small network or a forest. Each
prior needs at most two fits. Runs are kept in the folder --store.
"""

import argparse
import gzip
from pathlib import Path

import numpy as np
from _machine import describe_machine
from baselines import averaged
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from training import make_mlp

from skdatamodels import (
    DatamodelRegressor,
    Examples,
    SubsetTrainer,
    TrainingRuns,
    sample_masks,
)
from skdatamodels import influence as cheap
from skdatamodels.datasets import load_digits_examples
from skdatamodels.metrics import lds_interval, noise_ceiling
from skdatamodels.training import TorchLearner

FASHION = Path("/usr/share/datasets/fashion-mnist")


def load_fashion(n_train=1000, n_targets=400):
    """Return Fashion-MNIST, pooled to 14×14, as training set and targets."""
    parts = []
    for name, n in (("train", n_train), ("t10k", n_targets)):
        images = gzip.decompress(
            (FASHION / f"{name}-images-idx3-ubyte.gz").read_bytes()
        )
        labels = gzip.decompress(
            (FASHION / f"{name}-labels-idx1-ubyte.gz").read_bytes()
        )
        pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 14, 2, 14, 2)
        rows = np.random.default_rng(0).permutation(len(pixels))[:n]
        X = pixels[rows].mean(axis=(2, 4)).reshape(n, -1) / 255
        y = np.frombuffer(labels, np.uint8, offset=8)[rows].astype(int)
        parts.append(Examples(X, y, ids=rows))
    return parts


DATA = {"digits": load_digits_examples, "fashion": load_fashion}


def make_fashion_mlp():
    """Return the network 196-64-10."""
    from torch import nn

    return nn.Sequential(nn.Linear(196, 64), nn.ReLU(), nn.Linear(64, 10))


MLPS = {"digits": make_mlp, "fashion": make_fashion_mlp}


def make_trainer(data, model, store):
    """Return the trainer for a data set and a kind of model."""
    train, targets = DATA[data]()
    if model == "mlp":
        learner, output = TorchLearner(MLPS[data], epochs=15), "margin"
    else:
        learner = ExtraTreesClassifier(30, min_samples_leaf=2)
        output = "confidence"  # log-odds of votes are infinite
    return SubsetTrainer(
        learner, train, targets, output=output, store=store, random_state=0
    )


def make_priors(train, targets):
    """Return functions that each make an attribution matrix."""
    data = train, targets
    return {
        "none": lambda: None,
        "random": lambda: cheap.random_influence(*data),
        "same class": lambda: cheap.same_class_influence(*data),
        "pixels, L2": lambda: cheap.representation_similarity(train.X, targets.X),
        "k-NN Shapley": lambda: cheap.knn_shapley(*data),
        "ridge influence": lambda: cheap.ridge_influence(
            RidgeClassifier(), *data, output="margin"
        ),
        "logistic influence": lambda: cheap.logistic_influence(
            LogisticRegression(max_iter=1000), *data
        ),
    }


def train_networks(make_module, train, n_networks, epochs=15, batch_size=64):
    """Return networks trained like those of the runs, but on all examples."""
    import torch

    X, y = torch.tensor(train.X, dtype=torch.float32), torch.tensor(train.y)
    networks = []
    for seed in range(n_networks):
        torch.manual_seed(seed)
        module = make_module()
        steps = epochs * (len(X) // batch_size)
        optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in range(epochs):
            order = torch.randperm(len(X))
            for batch in order[: len(X) // batch_size * batch_size].split(batch_size):
                loss = torch.nn.functional.cross_entropy(module(X[batch]), y[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
        networks.append((module, [module.state_dict()]))
    return networks


def make_network_priors(make_module, train, targets, n_networks):
    """Return functions that each make an attribution matrix from some networks."""
    networks = train_networks(make_module, train, n_networks)
    states = [states[-1] for _, states in networks]
    data, output = (train, targets), {"output": "margin"}

    def mean(function, **options):
        return lambda: averaged(function, **output, **options)(*data, networks)

    return {
        "gradient dot": mean(cheap.gradient_dot),
        "last layer": mean(cheap.last_layer_influence, damping=1),
        "influence, CG": mean(cheap.influence_functions, damping=10, tol=1e-2),
        "TRAK": lambda: cheap.trak(
            networks[0][0], *data, checkpoints=states, random_state=0, **output
        ),
    }


def main():
    """Print the score of each prior, and of datamodels with this prior."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", choices=sorted(DATA), default="digits")
    parser.add_argument("--model", choices=["mlp", "forest"], default="mlp")
    parser.add_argument(
        "--runs", type=int, nargs="+", default=[100, 250, 500, 1000, 2000, 5000]
    )
    parser.add_argument("--targets", type=int, default=40)
    parser.add_argument("--held-out", type=int, default=300)
    parser.add_argument(
        "--networks", type=int, default=0, help="use priors from this many networks"
    )
    parser.add_argument("--lam", choices=["validation", "cv"], default="validation")
    parser.add_argument("--store", default="benchmarks/runs")
    arguments = parser.parse_args()
    print(describe_machine())
    trainer = make_trainer(arguments.data, arguments.model, arguments.store)
    train, targets = trainer.train, trainer.targets
    held_out = sample_masks(arguments.held_out, len(train), 0.5, random_state=1)
    twice = trainer.fit_transform(np.concatenate([held_out.dense()] * 2)).outputs
    runs = trainer.transform(np.arange(max(arguments.runs)))
    columns = np.random.default_rng(0).permutation(len(targets))[: arguments.targets]
    repeats = twice.reshape(2, arguments.held_out, -1)[:, :, columns]
    print(
        f"{arguments.data}, {arguments.model}, {trainer.output_info.name}: "
        f"{len(train)} train, "
        f"{len(columns)} targets, {arguments.held_out} held-out subsets; noise ceiling "
        f"{noise_ceiling(repeats):.3f}"
    )
    outputs = np.asarray(runs.outputs)[:, columns]
    print(f"{'prior':<20} alone  " + "".join(f"{n:>7,}" for n in arguments.runs))
    priors = make_priors(train, targets[columns])
    if arguments.networks:
        priors = make_network_priors(
            MLPS[arguments.data], train, targets[columns], arguments.networks
        )
    for name, make in priors.items():
        prior, scores = make(), []
        if prior is not None:
            alone = lds_interval(repeats[0], held_out.dot(prior.T), random_state=0)
        for n_runs in arguments.runs:
            part = TrainingRuns(runs.packed[:n_runs], outputs[:n_runs])
            model = DatamodelRegressor(arguments.lam, prior=prior, random_state=0)
            model.fit(part)
            scores.append(
                lds_interval(repeats[0], model.predict(held_out), random_state=0)
            )
        wide = max((score.high - score.low) / 2 for score in scores)
        print(
            f"{name:<20} "
            + (f"{alone.score:6.3f} " if prior is not None else "     - ")
            + "".join(f"{score.score:7.3f}" for score in scores)
            + f"   ±{wide:.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
