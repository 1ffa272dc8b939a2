"""Comparison of closed forms, neighbours, gradients and datamodels, networks on digits.

The true outputs are those of networks on held-out half-subsets, each trained twice. For
some targets, the examples that each method chooses are then removed, and the networks
are trained again.
"""

import argparse
from pathlib import Path

import numpy as np
from _machine import describe_machine
from _torch_runs import load_torch_runs
from baselines import averaged
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from training import make_mlp

from skdatamodels import DatamodelRegressor, TrainingRuns
from skdatamodels import influence as cheap
from skdatamodels.applications import CounterfactualEvaluation, DataSupportSearch
from skdatamodels.judging import compare_attributions
from skdatamodels.plotting import AttributionComparisonDisplay


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


def make_network_methods(train, targets, n_networks):
    """Return the methods that need trained networks, with their settings."""
    networks = train_networks(make_mlp, train, n_networks)
    states = [states[-1] for _, states in networks]
    data, output = (train, targets), {"output": "margin"}

    def influence(function, damping, **options):
        make = averaged(function, **output, damping=damping, **options)
        return make(*data, networks)

    def trak(damping):
        return cheap.trak(
            networks[0][0],
            *data,
            checkpoints=states,
            damping=damping,
            random_state=0,
            **output,
        )

    return {
        "gradient dot": lambda: averaged(cheap.gradient_dot, **output)(*data, networks),
        "last layer": {
            f"damping={d}": lambda d=d: influence(cheap.last_layer_influence, d)
            for d in (0.1, 1, 10)
        },
        "influence, CG": {
            f"damping={d}": lambda d=d: influence(
                cheap.influence_functions, d, tol=0.01
            )
            for d in (1, 10, 100)
        },
        "TRAK": {f"damping={d}": lambda d=d: trak(d) for d in (100, 1000, 10_000)},
    }


def make_methods(runs, train, targets, sizes):
    """Return the other methods by name, and the number of trainings of each."""
    data = train, targets

    def logistic(C):
        return cheap.logistic_influence(LogisticRegression(C=C), *data)

    methods = {
        "logistic influence": {f"C={C}": lambda C=C: logistic(C) for C in (0.1, 1, 10)},
        "ridge influence": {
            f"alpha={a}": lambda a=a: cheap.ridge_influence(
                RidgeClassifier(a), *data, output="margin"
            )
            for a in (0.1, 1, 10)
        },
        "k-NN Shapley": {
            f"k={k}": lambda k=k: cheap.knn_shapley(*data, n_neighbors=k)
            for k in (1, 5, 20)
        },
        "pixels": {
            metric: lambda metric=metric: cheap.representation_similarity(
                train.X, targets.X, metric=metric
            )
            for metric in ("l2", "cosine", "dot")
        },
    }
    n_trainings = {"logistic influence": 3, "ridge influence": 3}
    for n_runs in sizes:
        part = runs[:n_runs]
        for name, make in {
            "LASSO": lambda part: DatamodelRegressor(random_state=0).fit(part),
            "LASSO, prior": lambda part: DatamodelRegressor(
                prior=logistic(1), random_state=0
            ).fit(part),
            "difference of means": lambda part: cheap.DifferenceOfMeans().fit(part),
        }.items():
            name = f"{name}, {n_runs:,}"
            methods[name] = lambda make=make, part=part: make(part)
            n_trainings[name] = n_runs + ("prior" in name)
    return methods, n_trainings


def main():
    """Print the table, and save the figure if requested."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, nargs="+", default=[500, 5000])
    parser.add_argument("--every", type=int, default=6, help="take every k-th target")
    parser.add_argument("--networks", type=int, default=5)
    parser.add_argument("--retrained", type=int, default=10, help="targets")
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--store", default="benchmarks/runs")
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    print(describe_machine())
    runs, held_out, repeats, trainer = load_torch_runs(
        max(arguments.runs), arguments.store
    )
    columns = slice(None, None, arguments.every)
    train, targets = trainer.train, trainer.targets[columns]
    runs = TrainingRuns(runs.packed, np.asarray(runs.outputs)[:, columns])
    repeats = repeats[:, :, columns]
    trainer.set_params(targets=targets)
    methods, n_trainings = make_methods(runs, train, targets, arguments.runs)
    more = make_network_methods(train, targets, arguments.networks)
    methods |= more
    n_trainings |= dict.fromkeys(more, arguments.networks)
    retraining = {}
    if arguments.retrained:
        chosen = np.random.default_rng(0).permutation(len(targets))
        retraining["counterfactuals"] = CounterfactualEvaluation(
            trainer,
            heuristics=["top", "random"],
            sizes=[10, 40],
            target_indices=chosen[: arguments.retrained],
            n_trials=arguments.trials,
            n_control_trials=50,
            random_state=0,
        )
        retraining["data_support"] = DataSupportSearch(
            trainer, sizes=[5, 10, 20, 40, 80, 160], n_trials=arguments.trials
        )
    comparison = compare_attributions(
        methods,
        TrainingRuns(held_out, repeats[0]),
        train,
        targets,
        repeats=repeats,
        seen_runs=runs,
        n_trainings=n_trainings,
        random_state=0,
        verbose=1,
        **retraining,
    )
    print(comparison.to_frame().drop(columns="is_control").round(3).to_string())
    print({k: v for k, v in comparison.settings.items() if k.startswith("n_")})
    print(f"ceiling {comparison.ceiling:.3f}")
    if arguments.picture:
        display = AttributionComparisonDisplay(comparison).plot()
        display.figure_.savefig(arguments.picture)


if __name__ == "__main__":
    main()
