"""Make the files of `load_judged_runs`: ten minutes on two cores.

Seeds are fixed, so that the same versions of the libraries make the same files. Give
`--folder skdatamodels/datasets/judged` to replace those of the package.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from _machine import describe_machine

from skdatamodels import SubsetTrainer, sample_masks
from skdatamodels.datasets._judged_runs import judged_examples
from skdatamodels.datasets._judged_sets import JUDGED_SETS, pick_rows
from skdatamodels.runs._store import library_versions

N_RUNS, N_JUDGING, SEED = 1000, 200, 0
EXACT = "digits_logistic", "diabetes_boosting"  # learners with hardly any randomness


def main():
    """Train and write the files, and print what they hold."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", default=list(JUDGED_SETS))
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument(
        "--folder", type=Path, default=Path(__file__).parent / "runs" / "judged"
    )
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    print(describe_machine())
    for name in arguments.names:
        start = time.perf_counter()
        stored = build(name, arguments.n_jobs)
        path = arguments.folder / f"{name}.npz"
        np.savez_compressed(path, **stored)
        size = path.stat().st_size / 2**20
        seconds = time.perf_counter() - start
        shape = stored["fitted_outputs"].shape
        print(
            f"{name}: {shape[0]} runs and {N_JUDGING} subsets trained twice, "
            f"{len(stored['train_rows'])} training examples, {shape[1]} targets, "
            f"{len(stored['wrong'])} wrong labels: {size:.2f} MiB, {seconds:.0f} s",
            flush=True,
        )


def build(name, n_jobs):
    """Return the arrays of a file."""
    one, rows = JUDGED_SETS[name], pick_rows(name, SEED)
    train, targets = judged_examples(name, rows)
    trainer = SubsetTrainer(
        one.learner,
        train,
        targets,
        output=one.output,
        n_jobs=n_jobs,
        random_state=SEED,
        keep_models=0,
    )
    fitted = trainer.fit_transform(np.arange(N_RUNS))
    masks = sample_masks(N_JUDGING, len(train), 0.5, random_state=SEED + 1)
    twice = trainer.transform(np.concatenate([masks.dense()] * 2))
    stored = {
        **rows,
        "fitted_bits": np.asarray(fitted.packed.bits),
        "fitted_outputs": np.asarray(fitted.outputs, np.float32),
        "fitted_seeds": fitted.seeds,
        "judging_bits": np.asarray(masks.bits),
        "judging_outputs": np.asarray(twice.outputs[:N_JUDGING], np.float32),
        "judging_seeds": twice.seeds[:N_JUDGING],
        "repeated_outputs": np.asarray(twice.outputs[N_JUDGING:], np.float32),
        "versions": np.array([f"{k} {v}" for k, v in library_versions().items()]),
    }
    if name in EXACT:
        everything = np.ones((1, len(train)), bool)
        without = ~np.eye(len(train), dtype=bool)
        outputs = trainer.transform(np.concatenate([everything, without])).outputs
        effects = outputs[:1].astype(np.float64) - outputs[1:]
        stored["leave_one_out"] = effects.T.astype(np.float32)
    return stored


if __name__ == "__main__":
    main()
