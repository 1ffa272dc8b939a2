"""Datamodels of handwritten digits, from training to pictures.

Trains a few thousand small neural networks on random halves of 1,200 digits, fits a
datamodel for each of 597 other digits, judges the datamodels on subsets they have not
seen, shows which training digits they hold responsible, and trains again without
those. ``make demo`` runs it and writes ``demo/report.html``; what was trained stays in
``demo/runs``, so that a second run, also after an interruption, takes up where the
first ended.
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
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from skdatamodels import DatamodelRegressor, SubsetTrainer, sample_masks
from skdatamodels.applications import CounterfactualEvaluation
from skdatamodels.datasets import load_digits_examples
from skdatamodels.influence import DifferenceOfMeans
from skdatamodels.metrics import lds_interval, noise_ceiling
from skdatamodels.plotting import (
    CounterfactualDisplay,
    LDSCurveDisplay,
    PredictionDisplay,
    SimilarExamplesDisplay,
)

ALPHA = 0.5
# The networks stop after 15 epochs on purpose.
warnings.filterwarnings("ignore", category=ConvergenceWarning)


def collect_runs(train, targets, sizes, n_held_out, store):
    """Train on the subsets to learn from, and twice on each held-out subset."""
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
        verbose=1,
    )
    print(f"Training {sizes[-1]} networks on random halves of {len(train)} digits")
    runs = trainer.fit_transform(np.arange(sizes[-1]))
    held_out = sample_masks(n_held_out, len(train), ALPHA, random_state=1).dense()
    print(f"Training 2 networks on each of {n_held_out} other halves, to judge by")
    twice = trainer.transform(np.concatenate([held_out, held_out]))
    return trainer, runs, held_out, twice.outputs.reshape(2, n_held_out, len(targets))


def judge(runs, sizes, held_out, truth):
    """Fit by both methods on more and more runs; return models and their LDS."""
    methods = {
        "datamodel (LASSO)": DatamodelRegressor(n_jobs=-1, random_state=0),
        "difference of means": DifferenceOfMeans(),
    }
    scores = {name: [] for name in methods}
    for n_runs in sizes:
        for name, model in methods.items():
            predicted = model.fit(runs[:n_runs]).predict(held_out)
            scores[name].append(lds_interval(truth, predicted, random_state=0))
            score, low, high = scores[name][-1]
            print(
                f"{n_runs:>6} runs  {name:<20} LDS {score:.3f} [{low:.3f}, {high:.3f}]"
            )
    return methods["datamodel (LASSO)"], scores


def remove(trainer, model, n_targets):
    """Train again without the digits of highest and lowest weight, and some others."""
    print(f"Training without digits that matter to {n_targets} targets, and others")
    evaluation = CounterfactualEvaluation(
        trainer,
        sizes=[5, 20],
        target_indices=np.arange(n_targets),
        n_trials=3,
        n_control_trials=20,
        random_state=0,
    )
    return evaluation.fit(model.coef_)


def draw(model, train, targets, sizes, scores, ceiling, held_out, truth, evaluation):
    """Return title, caption and figure of each picture."""
    curve = LDSCurveDisplay(sizes, scores, ceiling=ceiling).plot()
    yield (
        "How good are the datamodels?",
        "Linear datamodeling score: the rank correlation, over subsets that the "
        "datamodels have not seen, of predicted and true margins; mean over targets. "
        "Bands: 95 % intervals over subsets and targets. Dashed: what a perfect "
        "predictor would reach, as two trainings on one subset differ.",
        curve.figure_,
    )
    scatter = PredictionDisplay.from_predictions(truth, model.predict(held_out))
    yield (
        "Predicted against true margins",
        f"All {truth.shape[1]} targets on {len(truth)} held-out subsets; a margin is "
        "the logit of the right class less the largest other, in log-odds.",
        scatter.figure_,
    )
    # Targets that are got right by a hair and those got wrong are worth a question.
    mean_margin = truth.mean(axis=0)
    chosen = np.argsort(np.abs(mean_margin))[[0, 1, 2, 3]]
    chosen = np.r_[chosen, np.argsort(mean_margin)[len(mean_margin) // 2]]
    similar = SimilarExamplesDisplay.from_estimator(
        model, train, targets, chosen, n_examples=5, image_shape=(8, 8)
    )
    yield (
        "Which training digits are responsible?",
        "Left: a target (four that are decided by a hair, one of median margin). Then "
        "the training digits whose presence raises its margin most, and those whose "
        "presence lowers it most, with their weights in log-odds.",
        similar.figure_,
    )
    effects = CounterfactualDisplay.from_estimator(evaluation)
    yield (
        "What if they had not been there?",
        "Networks trained without the 5 or 20 digits of highest weight for a target, "
        "of lowest, or any: the change of its margin that the weights predict, and the "
        "one that came, over three trainings each.",
        effects.figure_,
    )


def write_report(path, lines, pictures):
    """Write a self-contained HTML page."""
    parts = [
        "<!doctype html><meta charset='utf-8'><title>Datamodels of digits</title>",
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;"
        "padding:0 1em}img{max-width:100%}pre{background:#f4f4f4;padding:1em}</style>",
        "<h1>Datamodels of handwritten digits</h1>",
        f"<pre>{html.escape(chr(10).join(lines))}</pre>",
    ]
    for number, (title, caption, figure) in enumerate(pictures, start=1):
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=120, bbox_inches="tight")
        (path.parent / f"figure{number}.png").write_bytes(picture.getvalue())
        data = base64.b64encode(picture.getvalue()).decode()
        parts.append(
            f"<h2>{title}</h2><p>{caption}</p>"
            f"<img alt='{title}' src='data:image/png;base64,{data}'>"
        )
    path.write_text("\n".join(parts), encoding="utf-8")


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
    sizes, n_held_out, n_removals = [250, 500, 1000, 2000, 4000], 300, 15
    if arguments.quick:
        sizes, n_held_out, n_removals = [50, 100, 200], 40, 2

    train, targets = load_digits_examples()
    trainer, runs, held_out, repeats = collect_runs(
        train, targets, sizes, n_held_out, out / "runs"
    )
    truth = repeats[0]
    ceiling = noise_ceiling(repeats)
    model, scores = judge(runs, sizes, held_out, truth)
    evaluation = remove(trainer, model, n_removals)
    lines = [
        f"{len(train)} training digits, {len(targets)} targets, {sizes[-1]} runs at "
        f"alpha = {ALPHA}; judged on {n_held_out} held-out subsets",
        f"accuracy of a network trained on half: {(truth > 0).mean():.3f}",
    ]
    for name, curve in scores.items():
        score, low, high = curve[-1]
        lines.append(
            f"LDS of {name}: {score:.3f}, 95 % interval {low:.3f} to {high:.3f}"
        )
    lines.append(f"noise ceiling: {ceiling:.3f}")
    lines.append(f"worst relative duality gap: {model.dual_gap_.max():.1e}")
    correlation = evaluation.correlations_["all"]
    lines.append(
        f"removals: predicted and true change of {len(evaluation.effects_)} margins, "
        f"Spearman {correlation.spearman:.2f}, Pearson {correlation.pearson:.2f}"
    )
    pictures = draw(
        model, train, targets, sizes, scores, ceiling, held_out, truth, evaluation
    )
    write_report(out / "report.html", lines, pictures)
    lines.append(
        f"{time.perf_counter() - start:.0f} s on {platform.machine()}, scikit-learn "
        f"{sklearn.__version__}; see {out / 'report.html'}"
    )
    print("\n".join(lines))


if __name__ == "__main__":
    main()
