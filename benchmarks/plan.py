"""Do the first runs predict the learning curve of many more? Networks on digits.

`plan_runs` extrapolates from the first 1,000 runs. Then datamodels of more runs are
fitted and scored on held-out subsets.
"""

import argparse

import numpy as np
from _machine import describe_machine
from _torch_runs import load_torch_runs

from skdatamodels import DatamodelRegressor, TrainingRuns
from skdatamodels.influence import DifferenceOfMeans
from skdatamodels.judging import plan_runs
from skdatamodels.metrics import lds_interval


def main():
    """Print the predicted and the measured scores."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--first", type=int, default=1000)
    parser.add_argument("--runs", type=int, nargs="+", default=[2000, 5000, 20_000])
    parser.add_argument("--every", type=int, default=6, help="take every k-th target")
    parser.add_argument("--wanted", type=float, default=0.7)
    parser.add_argument("--store", default="benchmarks/runs")
    arguments = parser.parse_args()
    print(describe_machine())
    runs, held_out, repeats, _ = load_torch_runs(max(arguments.runs), arguments.store)
    repeats = repeats[:, :, :: arguments.every]
    outputs = np.asarray(runs.outputs)[:, :: arguments.every]
    runs = TrainingRuns(runs.packed, outputs)
    for regressor in (DatamodelRegressor(random_state=0), DifferenceOfMeans()):
        plan = plan_runs(
            runs[: arguments.first],
            regressor=regressor,
            n_targets=None,
            wanted=arguments.wanted,
            repeats=repeats,
            random_state=0,
        )
        print(
            f"{type(regressor).__name__}, {runs.n_targets} targets, first "
            f"{arguments.first}: limit {plan.limit.score:.3f} "
            f"[{plan.limit.low:.3f}, {plan.limit.high:.3f}], ceiling "
            f"{plan.ceiling:.3f}; LDS {arguments.wanted} needs "
            f"{plan.n_needed.score:,.0f} runs [{plan.n_needed.low:,.0f}, "
            f"{plan.n_needed.high:,.0f}]",
            flush=True,
        )
        for n_runs in [arguments.first, *arguments.runs]:
            predicted = regressor.fit(runs[:n_runs]).predict(held_out)
            came = lds_interval(repeats[0], predicted, random_state=0)
            foreseen, low, high = plan.predict([n_runs])[0]
            print(
                f"{n_runs:>7,} runs: foreseen {foreseen:.3f} [{low:.3f}, {high:.3f}], "
                f"came {came.score:.3f} [{came.low:.3f}, {came.high:.3f}]",
                flush=True,
            )


if __name__ == "__main__":
    main()
