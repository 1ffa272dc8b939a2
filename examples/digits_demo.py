"""Datamodels of handwritten digits, from training to pictures.

The demo trains 160 small neural networks on random halves of 1,200 digits, computes
cheap attributions of these networks, and fits a datamodel for each of 597 other digits
with the attributions as a prior. It scores the datamodels on held-out subsets, shows
the training digits with the largest weights, trains again without them, and looks for
copies of training digits among the targets. ``make demo`` runs it and
writes ``demo/report.html``. The runs are stored in ``demo/runs``, so that a second
call, also after an interruption, continues where the first ended.
"""

import argparse
import base64
import html
import io
import platform
import time
import warnings
from pathlib import Path

import matplotlib
import numpy as np
import sklearn
from scipy.ndimage import shift
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import pairwise_distances
from sklearn.model_selection import cross_val_predict
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer, sample_masks
from skdatamodels.applications import (
    CounterfactualEvaluation,
    DataSupportSearch,
    LeakageDetector,
)
from skdatamodels.datasets import load_digits_examples
from skdatamodels.metrics import lds_interval, noise_ceiling
from skdatamodels.plotting import (
    CounterfactualDisplay,
    DataSupportDisplay,
    LDSCurveDisplay,
    LeakageRecallDisplay,
    PredictionDisplay,
    SimilarExamplesDisplay,
)

ALPHA = 0.5
# Stopping the networks after 15 epochs is intended.
warnings.filterwarnings("ignore", category=ConvergenceWarning)


def add_copies(train, targets, n_copies):
    """Return the targets followed by moved training digits, their sources and moves."""
    given = np.arange(len(train)), train.y
    model = LogisticRegression()
    probability = cross_val_predict(model, train.X, train.y, method="predict_proba")
    source = probability[given].argsort()[:n_copies]  # the hardest ones first
    moves = np.random.default_rng(0).permutation(np.linspace(0, 1.5, n_copies))
    copies = [
        shift(train.X[i].reshape(8, 8), (0, move), order=1).ravel()
        for i, move in zip(source, moves, strict=True)
    ]
    X = np.concatenate([targets.X, copies])
    return Examples(X, np.concatenate([targets.y, train.y[source]])), source, moves


def collect_runs(train, targets, sizes, n_held_out, store):
    """Train on the subsets to fit on, and twice on each held-out subset."""
    network = MLPClassifier(
        (128,), batch_size=128, learning_rate_init=0.01, max_iter=15
    )
    trainer = SubsetTrainer(
        network,
        train,
        targets,
        alpha=ALPHA,
        store=store,
        n_jobs=-1,
        random_state=0,
        keep_models=16,
        verbose=1,
    )
    print(f"Training {sizes[-1]} networks on random halves of {len(train)} digits")
    runs = trainer.fit_transform(np.arange(sizes[-1]))
    held_out = sample_masks(n_held_out, len(train), ALPHA, random_state=1).dense()
    print(f"Training 2 networks on each of {n_held_out} held-out halves")
    twice = trainer.transform(np.concatenate([held_out, held_out]))
    return trainer, runs, held_out, twice.outputs.reshape(2, n_held_out, len(targets))


def judge(runs, sizes, held_out, truth):
    """Fit with and without a prior on increasing numbers of runs; return the LDS."""
    methods = {
        "with a prior": DatamodelRegressor(prior="cheap", n_jobs=-1, random_state=0),
        "without": DatamodelRegressor(n_jobs=-1, random_state=0),
    }
    scores = {name: [] for name in methods}
    for n_runs in sizes:
        for name, model in methods.items():
            predicted = model.fit(runs[:n_runs]).predict(held_out)
            predicted = predicted[:, : truth.shape[1]]
            scores[name].append(lds_interval(truth, predicted, random_state=0))
            score, low, high = scores[name][-1]
            print(
                f"{n_runs:>6} runs  {name:<20} LDS {score:.3f} [{low:.3f}, {high:.3f}]"
            )
    print(runs.attributions)
    model = methods["with a prior"]
    scores["the prior alone"] = [prior_score(model, held_out, truth)] * len(sizes)
    return methods, scores


def prior_score(model, held_out, truth):
    """Return the LDS of the combined attributions, which few runs have weighed."""
    predicted = (held_out @ model.prior_coef_.T)[:, : truth.shape[1]]
    return lds_interval(truth, predicted, random_state=0)


def remove(trainer, model, n_targets):
    """Train again without the digits of highest, of lowest, or of any weight."""
    print(f"Training without the important digits of {n_targets} targets")
    evaluation = CounterfactualEvaluation(
        trainer,
        sizes=[5, 20],
        target_indices=np.arange(n_targets),
        n_trials=1,
        n_control_trials=5,
        random_state=0,
    )
    return evaluation.fit(model.coef_)


def find_supports(trainer, attributions, n_targets):
    """Search for the smallest removal of digits that flips each of some targets."""
    print(f"Training without more and more digits, until {n_targets} targets flip")
    few = clone(trainer).set_params(targets=trainer.targets[:n_targets], verbose=0)
    return {
        name: DataSupportSearch(
            few, sizes=[5, 20, 80], n_trials=1, n_certifications=1
        ).fit(weights[:n_targets])
        for name, weights in attributions.items()
    }


def draw_leakage(weights, train, copies, source, moves):
    """Draw how many copies are found by weights, by pixels and by both."""
    pixels = {"train_representation": train.X, "target_representation": copies.X}
    nothing = np.zeros_like(weights)
    detectors = {
        "weights": LeakageDetector(n_candidates=5, higher_is_better=True).fit(weights),
        "pixels": LeakageDetector(n_candidates=5, higher_is_better=True).fit(
            nothing, **pixels
        ),
        "both": LeakageDetector(n_candidates=5, higher_is_better=True).fit(
            weights, **pixels
        ),
    }
    return LeakageRecallDisplay.from_estimator(
        detectors,
        train=np.arange(len(train))[:, None],
        targets=np.column_stack([source, moves]),
        thresholds=np.linspace(0, 1.5, 11),
        metric=lambda a, b: np.where(a[:, :1] == b.T, a[:, 1:], np.inf),
        unit="pixels moved",
    )


def draw(model, train, targets, sizes, scores, ceiling, held_out, truth):
    """Yield title, caption and figure of each plot of the datamodels."""
    predicted = model.predict(held_out)[:, : truth.shape[1]]
    curve = LDSCurveDisplay(sizes, scores, ceiling=ceiling).plot()
    yield (
        "How good are the datamodels?",
        "Linear datamodeling score: the rank correlation of predicted and true margins "
        "over held-out subsets, averaged over targets. Bands: 95 % intervals over "
        "subsets and targets. Dashed: the score of a perfect predictor, which is below "
        "1 because two trainings on the same subset differ.",
        curve.figure_,
    )
    scatter = PredictionDisplay.from_predictions(truth, predicted)
    yield (
        "Predicted against true margins",
        f"All {truth.shape[1]} targets on {len(truth)} held-out subsets. A margin is "
        "the logit of the right class minus the largest other logit, in log-odds.",
        scatter.figure_,
    )
    # Targets with a mean margin near 0 are the most interesting.
    mean_margin = truth.mean(axis=0)
    chosen = np.argsort(np.abs(mean_margin))[[0, 1, 2, 3]]
    chosen = np.r_[chosen, np.argsort(mean_margin)[len(mean_margin) // 2]]
    similar = SimilarExamplesDisplay.from_estimator(
        model, train, targets, chosen, n_examples=5, image_shape=(8, 8)
    )
    yield (
        "Which training digits are responsible?",
        "Left: a target (four with a margin near 0, one with the median margin). Then "
        "the training digits whose presence raises its margin most, and those whose "
        "presence lowers it most, with their weights in log-odds.",
        similar.figure_,
    )


def draw_uses(evaluation, supports, leakage):
    """Yield title, caption and figure of each plot of an application."""
    yield (
        "What changes without these digits?",
        "Networks trained without the 5 or 20 digits of highest weight for a target, "
        "of lowest weight, or random ones: the change of its margin predicted by the "
        "weights, and the true one, of one training.",
        CounterfactualDisplay.from_estimator(evaluation).figure_,
    )
    yield (
        "How many digits does a prediction depend on?",
        "Share of some targets whose prediction flips when this number of training "
        "digits is removed, in the order of each method; 0 digits if the network is "
        "wrong anyway. At most 80 digits are removed. The further left, the better the "
        "order. Certified: flips again when a fifth more are removed, with new seeds.",
        DataSupportDisplay.from_estimator(supports).figure_,
    )
    yield (
        "Which targets were in the training set?",
        "Copies of hard training digits, moved to the right, were added to the "
        "targets. Recall: of the copies moved by at most this distance, the share "
        "whose source is among five candidates. Weights find the digits that the "
        "network needed, pixels those that look alike.",
        leakage.figure_,
    )


def write_report(path, lines, pictures):
    """Write a self-contained HTML page."""
    parts = [
        "<!doctype html><meta charset='utf-8'><title>Datamodels of digits</title>",
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;"
        "padding:0 1em}img{max-width:100%}pre{background:#f4f4f4;padding:1em;"
        "white-space:pre-wrap}</style>",
        "<h1>Datamodels of handwritten digits</h1>",
        f"<pre>{html.escape(chr(10).join(lines))}</pre>",
    ]
    for number, (title, caption, figure) in enumerate(pictures, start=1):
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=120, bbox_inches="tight")
        write_file(path.parent / f"figure{number}.png", picture.getvalue())
        data = base64.b64encode(picture.getvalue()).decode()
        parts.append(
            f"<h2>{title}</h2><p>{caption}</p>"
            f"<img alt='{title}' src='data:image/png;base64,{data}'>"
        )
    write_file(path, "\n".join(parts).encode())


def write_file(path, content):
    """Write a file under a temporary name, then rename it once it is complete."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(content)
    temporary.replace(path)


def main():
    """Run the demo."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("demo"), help="output folder")
    parser.add_argument("--quick", action="store_true", help="few runs, poor figures")
    arguments = parser.parse_args()
    matplotlib.use("Agg")
    start = time.perf_counter()
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    sizes, n_held_out, n_removals = [40, 80, 160], 60, 6
    if arguments.quick:
        sizes, n_held_out, n_removals = [25, 50], 40, 2

    train, digits = load_digits_examples()
    targets, source, moves = add_copies(train, digits, 60)
    trainer, runs, held_out, repeats = collect_runs(
        train, targets, sizes, n_held_out, out / "runs"
    )
    repeats = repeats[:, :, : len(digits)]  # the copies are not used for scores
    truth, ceiling = repeats[0], noise_ceiling(repeats)
    methods, scores = judge(runs, sizes, held_out, truth)
    model = methods["with a prior"]
    evaluation = remove(trainer, model, n_removals)
    attributions = {
        "datamodel": model.coef_,
        "nearest pixels": -pairwise_distances(targets.X, train.X),
    }
    supports = find_supports(trainer, attributions, n_removals)
    lines = [
        f"{len(train)} training digits, {len(digits)} targets, {sizes[-1]} runs at "
        f"alpha = {ALPHA}; judged on {n_held_out} held-out subsets",
        f"accuracy of a network trained on half: {(truth > 0).mean():.3f}",
    ]
    for name, curve in scores.items():
        score, low, high = curve[-1]
        lines.append(f"LDS {name}: {score:.3f}, 95 % interval {low:.3f} to {high:.3f}")
    lines.append(f"noise ceiling: {ceiling:.3f}")
    weights = ", ".join(
        f"{name} {weight:.2f}"
        for name, weight in model.prior_weights_.items()
        if weight > 0.005
    )
    lines.append(f"weights of the prior ({model.penalty_}): {weights}")
    correlation = evaluation.correlations_["all"]
    lines.append(
        f"removals: predicted and true change of {len(evaluation.effects_)} margins, "
        f"Spearman {correlation.spearman:.2f}, Pearson {correlation.pearson:.2f}"
    )
    copies = targets[len(digits) :]
    leakage = draw_leakage(model.coef_[len(digits) :], train, copies, source, moves)
    pictures = [
        *draw(model, train, digits, sizes, scores, ceiling, held_out, truth),
        *draw_uses(evaluation, supports, leakage),
    ]
    write_report(out / "report.html", lines, pictures)
    lines.append(
        f"{time.perf_counter() - start:.0f} s on {platform.machine()}, scikit-learn "
        f"{sklearn.__version__}; see {out / 'report.html'}"
    )
    print("\n".join(lines))


if __name__ == "__main__":
    with threadpool_limits(1):  # for small matrices, threads only wait
        main()
