"""What a hundred runs give, with cheap attributions as the prior of the datamodel.

For each data set: LDS of each cheap attribution alone, of their stack alone, and of
datamodels by number of runs, with and without the stack; the noise ceiling; and the
seconds of training, attributions and fit together, of one processor, whatever else it
does. Last, what a hundred and a thousand runs are worth in runs of the plain LASSO.
Data sets that are not installed are skipped. Runs are kept in the folder --store.
"""

import argparse
import time
from functools import cache

import numpy as np
from _hundred_data import CASES, N_UNSEEN, Missing
from _machine import describe_machine
from threadpoolctl import threadpool_limits

from skdatamodels import DatamodelRegressor, SubsetTrainer, TrainingRuns, sample_masks
from skdatamodels.influence import cheap_attributions
from skdatamodels.metrics import lds_interval, noise_ceiling
from skdatamodels.metrics._lds import bootstrap_scores

METHODS = {  # name: penalty, whether it gets the stack
    "l1": ("l1", False),
    "l1 + stack": ("l1", True),
    "l2 + stack": ("l2", True),
    "auto": ("auto", True),
}


class Judge:
    """Score predictions on unseen subsets."""

    def __init__(self, masks, truth):
        self.masks, self.truth = masks, truth

    def score(self, predictions):
        """Return the LDS with its interval."""
        return lds_interval(self.truth, predictions, random_state=0)

    def compare(self, ours, theirs):
        """Return the difference of two scores, with its paired interval."""
        difference = self.score(ours).score - self.score(theirs).score
        draws = [
            bootstrap_scores(
                self.truth.astype(float), part, 1000, np.random.RandomState(0)
            )
            for part in (ours, theirs)
        ]
        return difference, *np.quantile(draws[0] - draws[1], [0.025, 0.975])


class Fit:
    """A datamodel on some runs: its predictions on unseen subsets, and seconds."""

    def __init__(self, method, runs, matrices, masks):
        penalty, stacked = METHODS[method]
        model = DatamodelRegressor(
            penalty=penalty, prior=dict(matrices) if stacked else None, random_state=0
        )
        start = time.process_time()
        self.model = model.fit(runs)
        self.seconds = time.process_time() - start
        self.predictions = model.predict(masks)


def read_runs(case, train, targets, n_runs, store):
    """Return the runs to fit on, the unseen subsets, and their runs, twice if random.

    Returns
    -------
    runs : TrainingRuns
    masks : array of shape (N_UNSEEN, n_train)
    repeats : array of shape (1 or 2, N_UNSEEN, n_targets)
    """
    trainer = SubsetTrainer(
        case.make_learner(),
        train,
        targets,
        output=case.output,
        store=store,
        random_state=0,
    )
    masks = sample_masks(N_UNSEEN, len(train), 0.5, random_state=1).dense()
    n_repeats = 2 if case.is_random else 1
    repeats = trainer.fit_transform(np.concatenate([masks] * n_repeats)).outputs
    repeats = np.asarray(repeats).reshape(n_repeats, N_UNSEEN, -1)
    return trainer.transform(np.arange(n_runs)), masks, repeats


def seconds_per_run(case, train, targets, n_runs):
    """Measure training without a store, after a run that warms it up."""
    trainer = SubsetTrainer(
        case.make_learner(), train, targets, output=case.output, random_state=0
    )
    trainer.fit_transform([0])
    start = time.process_time()
    trainer.transform(np.arange(n_runs))
    return (time.process_time() - start) / n_runs


def few_targets(runs, repeats, targets, n_targets):
    """Return the runs, repeats and targets of the first targets only."""
    part = TrainingRuns(runs.packed, np.asarray(runs.outputs)[:, :n_targets])
    return part, repeats[:, :, :n_targets], targets[:n_targets]


def print_alone(judge, attributions, runs):
    """Print the scores of the attributions alone, and of their stack."""
    # so strong a penalty leaves the weights of the prior as they are
    stack = DatamodelRegressor(1e9, penalty="l2", prior=dict(attributions)).fit(runs)
    print("\n| attributions alone | LDS | clock | weight in the stack |")
    print("|---|---|---|---|")
    for name, matrix in attributions.items():
        score = judge.score(judge.masks.dot(matrix.T))
        seconds = attributions.seconds.get(name, 0)
        weight = stack.prior_weights_.get(name, 0)
        print(f"| {name} | {score} | {seconds:.1f} | {weight:.2f} |")
    score = judge.score(stack.predict(judge.masks))
    print(f"| their stack, weighted on {len(runs)} runs | {score} | | |", flush=True)


def print_datamodels(judge, fits, sizes, price):
    """Print the scores of the datamodels and all their seconds by number of runs."""
    print("\n| runs | " + " | ".join(f"{name} | s" for name in METHODS) + " |")
    print("|---" * (1 + 2 * len(METHODS)) + "|")
    for n_runs in sizes:
        cells = []
        for method in METHODS:
            fit = fits(method, n_runs)
            seconds = price(method, n_runs) + fit.seconds
            cells += [str(judge.score(fit.predictions)), f"{seconds:.0f}"]
        print(f"| {n_runs:,} | " + " | ".join(cells) + " |", flush=True)


def print_wanted(judge, fits, wanted, most):
    """Print whether few runs do what the plain LASSO needs many for."""
    print()
    for few, many in ((100, wanted), (1000, min(3000, most))):
        pair = [fits("auto", few).predictions, fits("l1", many).predictions]
        difference, low, high = judge.compare(*pair)
        verdict = "met" if difference >= 0 else "not met" if high < 0 else "level"
        print(
            f"- {few:,} runs against the plain LASSO of {many:,}: {difference:+.3f} "
            f"[{low:+.3f}, {high:+.3f}], {verdict}"
        )


def report(name, sizes, n_targets, store):
    """Print the tables of one data set."""
    case = CASES[name]
    train, targets = case.load()
    most = case.most if n_targets is None else max(sizes)
    sizes = sorted({min(n_runs, most) for n_runs in sizes})
    runs, masks, repeats = read_runs(case, train, targets, most, store)
    runs, repeats, targets = few_targets(runs, repeats, targets, n_targets)
    each = seconds_per_run(case, train, targets, 32)
    for method in METHODS:  # compile
        Fit(method, runs[:40], {"one": masks[: len(targets)].astype(float)}, masks)
    start = time.process_time()
    attributions = cheap_attributions(
        case.make_learner(), train, targets, output=case.output, random_state=0
    )
    spent = time.process_time() - start
    ceiling = noise_ceiling(repeats) if case.is_random else 1.0
    print(
        f"\n### {name}: {case.what}\n\n{len(train):,} train, {len(targets)} targets, "
        f"{case.output}; {len(masks)} unseen subsets, noise ceiling {ceiling:.3f}; "
        f"{each:.3f} s a run, attributions {spent:.1f} s of processor time",
        flush=True,
    )
    judge = Judge(masks, repeats[0])

    @cache
    def fits(method, n_runs):
        return Fit(method, runs[:n_runs], attributions, masks)

    def price(method, n_runs):
        return n_runs * each + spent * METHODS[method][1]

    print_alone(judge, attributions, runs[: min(sizes)])
    print_datamodels(judge, fits, sizes, price)
    if n_targets is None:
        print_wanted(judge, fits, case.wanted, most)


def main():
    """Print the tables of the data sets."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument(
        "--runs", type=int, nargs="+", default=[100, 250, 500, 1000, 2500]
    )
    parser.add_argument(
        "--quick", action="store_true", help="100 and 250 runs, 20 targets"
    )
    parser.add_argument("--store", default="benchmarks/runs")
    arguments = parser.parse_args()
    sizes, n_targets = sorted(arguments.runs), None
    if arguments.quick:
        sizes, n_targets = [100, 250], 20
    print(describe_machine())
    with threadpool_limits(1):
        for name in arguments.data:
            try:
                report(name, sizes, n_targets, arguments.store)
            except Missing as missing:
                print(f"\n{name}: skipped; get it by: {missing}")


if __name__ == "__main__":
    main()
