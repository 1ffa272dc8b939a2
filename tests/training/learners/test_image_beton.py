"""FFCV in processes with a time limit, against the same images in memory."""

import sys
import textwrap
from importlib.util import find_spec

import numpy as np
import pytest

from skdatamodels import Examples
from skdatamodels.runs import _beton
from skdatamodels.training import ImageLearner, read_image_beton


def needs_ffcv(test):
    test = pytest.mark.skipif(find_spec("ffcv") is None, reason="needs FFCV")(test)
    return pytest.mark.slow(test)


_SETUP = """
    import os, sys, threading, time
    import numba, numpy as np, pytest, torch
    from numpy.testing import assert_array_equal
    from sklearn.base import clone
    from torch import nn
    from skdatamodels import Examples, SubsetTrainer
    from skdatamodels.training import ImageLearner, read_image_beton

    os.chdir(sys.argv[1])
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    X = rng.integers(0, 256, (60, 9, 7, 3), dtype=np.uint8)
    train, targets = Examples(X[:40], y[:40]), Examples(X[40:], y[40:])

    def network():
        return nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(),
            nn.Linear(140, 3),
        )

    def learner(**settings):
        return ImageLearner(
            network, epochs=3, peak_epoch=1, batch_size=8, crop=2, cutout=3, **settings
        )

    class Samples:
        def __init__(self, *columns):
            self.columns = columns
        def __len__(self):
            return len(self.columns[0])
        def __getitem__(self, i):
            return tuple(column[i] for column in self.columns)

    def write(path, images, labels, mode="raw", **more):
        from ffcv.fields import IntField, RGBImageField
        from ffcv.writer import DatasetWriter
        fields = {"image": RGBImageField(write_mode=mode), "label": IntField()}
        fields |= {name: IntField() for name in more}
        columns = Samples(images, labels.tolist(), *more.values())
        DatasetWriter(path, fields, num_workers=1).from_indexed_dataset(columns)
        return path
"""


def _run(script, folder, limit=300):
    script = textwrap.dedent(_SETUP) + textwrap.dedent(script)
    _beton._run([sys.executable, "-c", script, str(folder)], folder, limit)


@needs_ffcv
def test_runs_equal_those_of_images_in_memory(tmp_path):
    _run(
        """
        paths = [
            write("train.beton", train.X, train.y, number=list(range(40))),
            write("targets.beton", targets.X, targets.y),
        ]
        torch.set_num_threads(2)
        before = torch.get_num_threads(), numba.get_num_threads()
        trainer = SubsetTrainer(learner(), train, targets, random_state=0)
        expected = trainer.fit_transform(np.arange(3)).outputs
        from_files = [read_image_beton(path) for path in paths]
        assert_array_equal(from_files[0].y, train.y)
        trainer = SubsetTrainer(
            learner(beton=paths), *from_files, random_state=0, store="runs"
        )
        assert_array_equal(trainer.fit_transform([0, 1]).outputs, expected[:2])
        outputs = clone(trainer).fit_transform([2, 0]).outputs
        assert_array_equal(outputs, expected[[2, 0]])

        # a part of the examples, in another order, and more readers
        order = rng.permutation(40)[:30]
        part = [train[order], targets[[5, 3, 9]]]
        expected = SubsetTrainer(learner(), *part, random_state=0).transform([0])
        part = [from_files[0][order], from_files[1][[5, 3, 9]]]
        again = SubsetTrainer(learner(beton=paths, n_readers=2), *part, random_state=0)
        assert_array_equal(again.transform([0]).outputs, expected.outputs)
        assert (torch.get_num_threads(), numba.get_num_threads()) == before
        """,
        tmp_path,
    )


@needs_ffcv
def test_batches(tmp_path):
    _run(
        """
        smooth = np.zeros((40, 16, 24, 3), np.uint8) + np.arange(40, dtype=np.uint8)[
            :, None, None, None] * 6
        smooth[:, :, 12:] += 10
        raw = write("raw.beton", smooth, y[:40])
        jpg = write("jpg.beton", smooth, y[:40], mode="jpg")

        from skdatamodels.training._learners.image_beton import BetonImages
        rows = np.array([7, 7, 3, 39, 0, 12, 5])
        n_threads = threading.active_count()
        for path, tolerance in (raw, 0), (jpg, 4):
            images = BetonImages(path, read_image_beton(path), learner())
            assert len(images) == 40
            batches = list(images.batches(rows, 3))  # not one written over another
            assert [len(batch) for batch in batches] == [3, 3, 1]
            found = torch.cat(batches).numpy().astype(int)
            assert abs(found - smooth[rows]).max() <= tolerance
            unfinished = images.batches(np.arange(40), 2)
            next(unfinished)
            unfinished.close()
        for _ in range(100):
            if threading.active_count() == n_threads:
                break
            time.sleep(0.1)
        assert threading.active_count() == n_threads
        """,
        tmp_path,
    )


@needs_ffcv
def test_files_that_are_not_what_was_promised(tmp_path):
    _run(
        """
        def refuses(path, message, error=ValueError):
            with pytest.raises(error, match=message) as caught:
                read_image_beton(path)
            assert path in str(caught.value)

        good = write("good.beton", train.X, train.y)
        other = write("other.beton", targets.X, targets.y)
        sizes = [X[0], X[1, :5], X[2, :, :4]]
        write("sizes.beton", sizes, y[:3])
        wide = write("wide.beton", np.tile(targets.X, (1, 1, 2, 1)), targets.y)
        jpg = write("jpg.beton", train.X, train.y, mode="jpg")

        from ffcv.fields import FloatField, IntField
        from ffcv.writer import DatasetWriter
        DatasetWriter("runs.beton", {"image": IntField(), "label": FloatField()},
                      num_workers=1).from_indexed_dataset(Samples([1, 2], [0.5, 1.5]))

        refuses("none.beton", "No such file", FileNotFoundError)
        open("junk.beton", "wb").write(b"image,label" * 1000)
        refuses("junk.beton", "is incomplete, or is not a file that FFCV can read")
        content = open(good, "rb").read()
        for length in 10, 3000, len(content) - 1000:
            open("short.beton", "wb").write(content[:length])
            refuses("short.beton", "is incomplete")
        refuses("runs.beton", "image .RGB. and label .int., it has image = IntField")
        refuses("sizes.beton", r"of one size, it has 3 sizes, from .5, 7. to .9, 7.")

        examples, other_examples = read_image_beton(good), read_image_beton(other)
        assert read_image_beton(jpg) != examples

        def learner_refuses(message, beton, *pair, error=ValueError):
            with pytest.raises(error, match=message):
                learner(beton=beton).make_learner(*pair, "margin")

        pair = examples, other_examples
        learner_refuses("two files, .* got 1", [good], *pair)
        learner_refuses("train has other images than other", [other, good], *pair)
        learner_refuses("train has other images than jpg", [jpg, other], *pair)
        learner_refuses("No such file", [good, "none"], *pair, error=FileNotFoundError)
        learner_refuses(r"shape \\(9, 7, 3\\), wide", [good, wide], examples,
                        read_image_beton(wide))
        learner_refuses("train must be what read_image_beton made of good",
                        [good, other], train, targets, error=TypeError)
        """,
        tmp_path,
    )


def test_without_ffcv(monkeypatch, tmp_path):
    pytest.importorskip("torch")
    monkeypatch.setitem(sys.modules, "ffcv", None)
    message = r'pip install "skdatamodels\[ffcv\]"'
    with pytest.raises(ImportError, match=message):
        read_image_beton(tmp_path / "images.beton")
    images = Examples(np.zeros((4, 2), np.int64), [0, 1, 0, 1])
    learner = ImageLearner(list, beton=["a", "b"])
    with pytest.raises(ImportError, match=message):
        learner.make_learner(images, images, "margin")
