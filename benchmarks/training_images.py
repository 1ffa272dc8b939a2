"""Runs per day of ResNet-9 on images like CIFAR-10, in memory or read by FFCV, α = ½.

The pixels are generated, which takes as long to train on as real ones. With a GPU,
whole runs are timed, one after another and in several processes at a time, and stacked
networks are compared to a loop over them. Without a GPU, a few small steps are timed,
in seconds of a processor core, and the runs per day are extrapolated from them. FFCV is
skipped if it is not installed; ``--ffcv FOLDER`` keeps its files.
"""

import argparse
import subprocess
import sys
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from _machine import describe_machine

from skdatamodels import Examples, SubsetTrainer
from skdatamodels.training import ImageLearner, TorchLearner, read_image_beton

DAY = 86_400
EPOCHS, PEAK_EPOCH = 24, 5  # of the paper
WRITER = """
import sys
import numpy as np
from ffcv.fields import IntField, RGBImageField
from ffcv.writer import DatasetWriter

class Samples:
    X, y = np.load(sys.argv[1] + ".X.npy"), np.load(sys.argv[1] + ".y.npy")
    def __len__(self):
        return len(self.y)
    def __getitem__(self, i):
        return self.X[i], int(self.y[i])

fields = {"image": RGBImageField(write_mode=sys.argv[2]), "label": IntField()}
DatasetWriter(sys.argv[1], fields, num_workers=1).from_indexed_dataset(Samples())
"""


def make_images(n, seed):
    """Return smooth random images, uint8 (n, 32, 32, 3), of ten classes."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (n, 8, 8, 3), dtype=np.uint8)
    return Examples(coarse.repeat(4, axis=1).repeat(4, axis=2), rng.integers(0, 10, n))


def write_beton(path, images, mode):
    """Write images to an FFCV file, in a new process with a time limit."""
    if not path.exists():
        np.save(f"{path}.X.npy", images.X)
        np.save(f"{path}.y.npy", images.y)
        command = [sys.executable, "-c", WRITER, str(path), mode]
        subprocess.run(command, check=True, capture_output=True, timeout=600)
    return path


def routes(train, targets, folder):
    """Return the parameters of the learner and the examples of each route, by name."""
    found = {"resident": ({}, train, targets)}
    if find_spec("ffcv"):
        for mode in "raw", "jpg":
            paths = [
                write_beton(Path(folder, f"{mode}-{len(part)}.beton"), part, mode)
                for part in (train, targets)
            ]
            pair = [read_image_beton(path) for path in paths]
            found[f"FFCV, {mode}"] = ({"beton": paths}, *pair)
    return found


def clock(device):
    """Return the time in seconds: on a CPU the processor time of all threads."""
    return time.process_time() if device == "cpu" else time.perf_counter()


def time_reading(name, learner, train, targets, n_images):
    """Print how many images per second a route reads, without a network."""
    import torch

    from skdatamodels.training._learners.image_training import (
        Augmentation,
        colour_scale,
    )

    bound = learner.make_learner(train, targets, "margin")
    images = bound._open(train, 0)
    scale = colour_scale(images)
    augment = Augmentation(learner, np.random.default_rng(0))
    rows = np.random.default_rng(0).integers(0, len(train), n_images)
    torch.set_num_threads(1)
    seconds = {}
    for what, chosen in ("start", rows[:1]), ("read", rows), ("augmented", rows):
        start = clock(learner.device)
        for x in images.batches(chosen, learner.batch_size):
            if what == "augmented":
                x = augment(x, *scale)
        x.sum().item()  # waits for the device
        seconds[what] = clock(learner.device) - start
    first = seconds.pop("start")
    rates = (f"{n_images / (s - first):,.0f} {what}" for what, s in seconds.items())
    print(
        f"{name:<12} {first:.2f} s to start, then images a second: {', '.join(rates)}",
        flush=True,
    )


def time_whole_runs(name, learner, train, targets, n_runs, jobs):
    """Print runs per day, for whole runs in one or more processes at a time."""
    bound = learner.make_learner(train, targets, "margin")
    bound(np.arange(learner.batch_size), 0)  # load everything first
    for n_jobs in jobs:
        trainer = SubsetTrainer(
            learner, train, targets, alpha=0.5, n_jobs=n_jobs, random_state=0
        )
        if n_jobs > 1:  # workers load torch and the images
            small = np.zeros((n_jobs, len(train)), bool)
            small[:, : learner.batch_size] = True
            trainer.transform(small)
        start = time.perf_counter()
        trainer.transform(np.arange(n_runs * n_jobs))
        seconds = (time.perf_counter() - start) / (n_runs * n_jobs)
        print(
            f"{name:<12} {n_jobs} at a time: {seconds:.2f} s a run, "
            f"{DAY / seconds:,.0f} runs a day",
            flush=True,
        )


def extrapolate(learner, train, targets):
    """Print runs per day of a core, extrapolated from a step, without targets."""
    rows, seconds = np.arange(2 * learner.batch_size), {}
    for epochs in 1, 3, 1, 3:
        timed = learner.set_params(epochs=epochs, peak_epoch=0.5)
        bound = timed.make_learner(train[:], targets[:32], "margin")
        bound._data  # noqa: B018
        start = clock("cpu")
        bound(rows, 0)
        seconds[epochs] = clock("cpu") - start
    an_image = (seconds[3] - seconds[1]) / (2 * len(rows))
    run = EPOCHS * len(train) / 2 * an_image
    print(
        f"ResNet-9, extrapolated from {4 * 2} steps of {learner.batch_size} images: "
        f"{1e3 * an_image:.2f} ms an image, {run / 3600:.1f} hours a run, "
        f"{DAY / run:.2f} runs a day of a core",
        flush=True,
    )


def compare_stacked(device, n_runs=512):
    """Print runs per second of small networks on digits, stacked and one at a time."""
    from training import BATCH, make_mlp

    from skdatamodels.datasets import load_digits_examples

    train, targets = load_digits_examples()
    rates = {}
    for n_together, n in ((1, 8), (n_runs, n_runs)):
        learner = TorchLearner(
            make_mlp, epochs=15, batch_size=BATCH, n_together=n_together, device=device
        )
        trainer = SubsetTrainer(learner, train, targets, random_state=0)
        trainer.transform(np.arange(2))
        start = clock(device)
        trainer.transform(np.arange(n))
        rates[n_together] = n / (clock(device) - start)
    alone, stacked = rates.values()
    print(
        f"MLP 64-64-10 on digits, 15 epochs: {alone:.1f} runs a second one at a time, "
        f"{stacked:.1f} in blocks of {n_runs}, {stacked / alone:.0f} times"
    )


def main():
    """Print the device, and the rates of each route on it."""
    import torch

    from skdatamodels.training import resnet9

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--train", type=int, default=50_000)
    parser.add_argument("--targets", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=2, help="timed, a process")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--ffcv", help="folder for FFCV's files")
    parser.add_argument("--device", default=None)
    arguments = parser.parse_args()
    on_cuda = torch.cuda.is_available()
    device = arguments.device or ("cuda" if on_cuda else "cpu")
    model = torch.cuda.get_device_name() if device.startswith("cuda") else "no GPU"
    print(f"{describe_machine()}, torch {torch.__version__}; device {device}, {model}")
    train = make_images(arguments.train, 0)
    targets = make_images(arguments.targets, 1)
    with TemporaryDirectory() as folder:
        found = routes(train, targets, arguments.ffcv or folder)
        for name, (given, *pair) in found.items():
            learner = ImageLearner(
                partial(resnet9, n_classes=10),
                epochs=EPOCHS,
                peak_epoch=PEAK_EPOCH,
                device=device,
                **given,
            )
            time_reading(name, learner, *pair, n_images=100_000)
            if device.startswith("cuda"):
                time_whole_runs(name, learner, *pair, arguments.runs, arguments.jobs)
            elif name == "resident":  # nearly all time is spent in the network
                batch_size = min(64, arguments.train // 2)
                extrapolate(learner.set_params(batch_size=batch_size), *pair)
    compare_stacked(device, 512 if device.startswith("cuda") else 64)


if __name__ == "__main__":
    main()
