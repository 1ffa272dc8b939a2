"""Runs per core-second of each learner, compared to a plain loop, on digits, α = ½."""

import argparse
import tempfile
import time

import numpy as np
from _machine import describe_machine
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from threadpoolctl import threadpool_limits

from skdatamodels import SubsetTrainer, sample_masks
from skdatamodels.datasets import load_digits_examples
from skdatamodels.influence import DifferenceOfMeans
from skdatamodels.metrics import lds_interval
from skdatamodels.outputs import margin
from skdatamodels.training import TorchLearner
from skdatamodels.training._learners.learners import EstimatorLearner

EPOCHS, BATCH = 15, 64


def make_mlp():
    """Return the network 64-64-10."""
    from torch import nn

    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def torch_loop(train, targets):
    """Return a learner as a user might write it: a loop over batches of one network."""
    import torch

    X = torch.tensor(train.X, dtype=torch.float32)
    y = torch.tensor(train.y)
    target_X = torch.tensor(targets.X, dtype=torch.float32)

    def learn(train_indices, seed):
        torch.manual_seed(seed)
        model, loss = make_mlp(), torch.nn.CrossEntropyLoss()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        indices = torch.from_numpy(train_indices)
        per_epoch = len(indices) // BATCH
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
            optimizer, EPOCHS * per_epoch
        )
        for _ in range(EPOCHS):
            order = indices[torch.randperm(len(indices))]
            for batch in order[: per_epoch * BATCH].split(BATCH):
                optimizer.zero_grad()
                loss(model(X[batch]), y[batch]).backward()
                optimizer.step()
                schedule.step()
        with torch.no_grad():
            return margin(model(target_X).numpy(), targets.y)

    return learn


def core_seconds(work):
    """Return the processor time of a piece of work."""
    start = time.process_time()
    work()
    return time.process_time() - start


def compare(name, loop, trainer, n_loop, n_fast, repeats=3):
    """Print the rates of a plain loop and of the trainer, the best of some rounds."""
    masks = sample_masks(n_loop, len(trainer.train), 0.5, random_state=0).dense()
    subsets = [np.flatnonzero(mask) for mask in masks]
    trainer.fit_transform(np.arange(2))
    rates = {"loop": [], "fast": []}
    for repeat in range(repeats):  # alternate, as the load of the machine may change
        seconds = core_seconds(lambda: [loop(s, i) for i, s in enumerate(subsets)])
        rates["loop"].append(n_loop / seconds)
        ids = np.arange(repeat * n_fast, (repeat + 1) * n_fast)
        rates["fast"].append(n_fast / core_seconds(lambda i=ids: trainer.transform(i)))
    slow, fast = max(rates["loop"]), max(rates["fast"])
    print(f"{name:<28} {slow:>8.1f} {fast:>14.1f} {fast / slow:>8.1f}", flush=True)


def compare_lds(loop, trainer, n_fit=400, n_test=200):
    """Print the LDS of datamodels on runs of the loop and of the trainer."""
    runs = trainer.transform(np.arange(n_fit + n_test))
    by_loop = [loop(np.flatnonzero(m), i) for i, m in enumerate(runs.masks)]
    for name, outputs in (("loop", np.array(by_loop)), ("fast", runs.outputs)):
        model = DifferenceOfMeans().fit(runs.masks[:n_fit], outputs[:n_fit])
        predicted = model.predict(runs.masks[n_fit:])
        score, low, high = lds_interval(outputs[n_fit:], predicted, random_state=0)
        print(f"LDS of runs by {name}: {score:.3f} ({low:.3f} to {high:.3f})")


def time_many(trainer, n_runs):
    """Print how long `n_runs` runs take with two workers and a store."""
    with tempfile.TemporaryDirectory() as folder:
        trainer.set_params(store=folder, n_jobs=2)
        start = time.perf_counter()
        trainer.fit_transform(np.arange(n_runs))
        print(f"{n_runs} runs, two workers: {time.perf_counter() - start:.0f} s")


def main():
    """Print the table."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--many", type=int, help="only train this many runs of the MLP")
    many = parser.parse_args().many

    print(describe_machine(), "torch", torch.__version__)
    torch.set_num_threads(1)
    train, targets = load_digits_examples()
    learner = TorchLearner(make_mlp, epochs=EPOCHS, batch_size=BATCH)
    trainer = SubsetTrainer(learner, train, targets, random_state=0)
    if many:
        time_many(trainer, many)
        return
    print(f"{'runs a core-second':<28} {'plain loop':>8} {'SubsetTrainer':>14} times")
    with threadpool_limits(1):
        for estimator, n_loop, n_fast in (
            (RidgeClassifier(), 60, 6000),
            (LogisticRegression(), 20, 480),
        ):
            loop = EstimatorLearner(estimator, train, targets, "margin")
            fast = SubsetTrainer(estimator, train, targets, random_state=0)
            compare(type(estimator).__name__, loop, fast, n_loop, n_fast)
        loop = torch_loop(train, targets)
        compare("MLP 64-64-10, 15 epochs", loop, trainer, 15, 256)
        compare_lds(loop, trainer)


if __name__ == "__main__":
    main()
