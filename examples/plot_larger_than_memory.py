"""
Runs that are larger than memory
================================

Masks of many runs make large files: with one byte per entry, 100,000 runs of 4,000
examples take 400 MB, and those of the paper 15 GB. In this example, a process fits such
a file with less memory than the size of the file.

The file is memory-mapped and read once, one block of rows at a time. Only one bit per
entry is kept in memory.
"""

# %%
# We write the two files in the layout of the paper's authors. The outputs are computed
# from a few known weights, plus noise.

import multiprocessing
import resource
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

n_runs, n_train, n_targets = 100_000, 4_000, 16
rng = np.random.default_rng(0)
coef = np.zeros((n_targets, n_train), np.float32)
for weights in coef:
    weights[rng.choice(n_train, 60, replace=False)] = rng.standard_t(3, 60)

folder = tempfile.TemporaryDirectory()
path_masks, path_margins = (Path(folder.name, f"{n}.npy") for n in ("masks", "margins"))
open_memmap = np.lib.format.open_memmap
masks = open_memmap(path_masks, "w+", bool, (n_runs, n_train))
margins = open_memmap(path_margins, "w+", np.float16, (n_runs, n_targets))
for rows in np.array_split(np.arange(n_runs), 20):
    block = rng.random((len(rows), n_train), np.float32) < 0.5
    masks[rows] = block
    signal = (block - np.float32(0.5)) @ coef.T
    margins[rows] = signal + 2 * rng.standard_normal(signal.shape)
del masks, margins
print(f"masks: {path_masks.stat().st_size / 1e6:.0f} MB")

# %%
# The fit runs in a separate process. The system allows it at most 320 MB more than it
# has when it starts. (The limit is RLIMIT_DATA of Linux, which counts all memory except
# maps of files.) The matrix of pair counts takes 4·d² bytes, 64 MB of this.


def held_memory():
    """Return the bytes that the limit counts."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmData:")[1].split()[0])


def fit(connection, n_bytes):
    """Fit under a limit, and send the weights."""
    from skdatamodels import DatamodelRegressor
    from skdatamodels.datasets import load_released_runs, make_linear_runs

    small, _ = make_linear_runs(200, 20)
    model = DatamodelRegressor(sparse=True, random_state=0).fit(small)  # compiles
    limit = held_memory() + n_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    model.fit(load_released_runs(path_masks, path_margins))
    connection.send((model.coef_, model.solver_))


receiver, sender = multiprocessing.Pipe(duplex=False)
context = multiprocessing.get_context("fork")
process = context.Process(target=fit, args=(sender, 320 * 10**6))
process.start()
sender.close()
fitted, solver = receiver.recv()
process.join()
print(f"solver: {solver}; weights: {type(fitted).__name__} with {fitted.nnz} entries")

# %%
# The fit finds the weights from which the outputs were computed.

figure, ax = plt.subplots(figsize=(4.5, 4.5), layout="constrained")
ax.plot(coef.ravel(), fitted.toarray().ravel(), ".", markersize=3)
ax.axline((0, 0), slope=1, color="gray", linewidth=1)
ax.set(xlabel="weight that made the outputs", ylabel="weight found", aspect="equal")
plt.show()

# %%
folder.cleanup()
