"""From empirical influence to datamodels, step by step (Table 5), on digits.

The steps lead from the difference of means of correctness to the LASSO of margins. Each
method is fitted on m runs of a small network, and predicts held-out subsets.
Correctness is the sign of the margin, so that all rows use the same trainings. Targets
that are always right, or always wrong, in the held-out runs are left out, because their
correctness cannot be ranked.
"""

import argparse

import numpy as np
from _machine import describe_machine
from _torch_runs import load_torch_runs
from sklearn.metrics import roc_auc_score

from skdatamodels import DatamodelRegressor, TrainingRuns
from skdatamodels.influence import DifferenceOfMeans
from skdatamodels.metrics import lds_interval, linear_datamodeling_score


def mean_auc(correct, predicted):
    """Return the area under the ROC curve of correctness, averaged over targets."""
    pairs = zip(correct.T, predicted.T, strict=True)
    return np.mean([roc_auc_score(*pair) for pair in pairs])


def main():
    """Print a row for each method, output and number of runs."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, nargs="+", default=[1000, 2000, 5000])
    parser.add_argument("--every", type=int, default=2, help="take every k-th target")
    parser.add_argument("--store", default="benchmarks/runs")
    arguments = parser.parse_args()
    print(describe_machine())
    runs, held_out, repeats, trainer = load_torch_runs(
        max(arguments.runs), arguments.store
    )
    truth = repeats[0]
    share = (truth > 0).mean(axis=0)
    columns = np.flatnonzero((share > 0) & (share < 1))[:: arguments.every]
    truth = truth[:, columns]
    correct = (truth > 0).astype(np.float32)
    print(
        f"{len(columns)} targets of {len(trainer.targets)}; {len(truth)} subsets\n"
        "Spearman with the output that was fitted, and with margins; MSE of margins"
    )
    margins = np.asarray(runs.outputs)[:, columns]
    outputs = {"correctness": (margins > 0).astype(np.float32), "margin": margins}
    judged = {"correctness": correct, "margin": truth}
    methods = {
        "difference of means": DifferenceOfMeans(),
        "LASSO": DatamodelRegressor(random_state=0),
    }
    for n_runs in arguments.runs:
        for name, method in methods.items():
            for output, values in outputs.items():
                part = TrainingRuns(runs.packed[:n_runs], values[:n_runs])
                predicted = method.fit(part).predict(held_out)
                own = lds_interval(judged[output], predicted, random_state=0)
                other = linear_datamodeling_score(truth, predicted)
                mse = np.mean((truth - predicted) ** 2) if output == "margin" else None
                print(
                    f"{name:<20} {n_runs:>6} {output:<12} {own.score:.3f} "
                    f"[{own.low:.3f}, {own.high:.3f}]  margin {other:.3f}  MSE "
                    + ("  -  " if mse is None else f"{mse:.3f}")
                    + f"  AUC {mean_auc(correct, predicted):.3f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
