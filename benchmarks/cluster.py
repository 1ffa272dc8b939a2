"""Runs and a regression on a dask cluster of local processes that die and join.

Four worker processes of one thread train runs, a few and then three times as many: the
difference is what a run needs, the rest is what a call needs, most of it to send the
learner and the training set to each worker. Then one worker is killed every few seconds
and another joins. The driver is this process: it draws subsets, sends chunks, and
writes the store. Its processor time, memory and bytes on the network are measured. All
traffic of this machine with itself is counted, that of dask's own messages included.
Then the same runs are trained without a cluster, and a regression on the cluster is
compared with that of this process. The runs sleep, so that four workers have room on
few cores. The last lines say how many workers the driver could serve, by its time and
by its network, if a run takes 1 s, 10 s or 60 s.
"""

import argparse
import logging
import os
import signal
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
from _machine import describe_machine
from distributed import Client, LocalCluster
from joblib import parallel_config

from skdatamodels import DatamodelRegressor, Examples, RunStore, SubsetTrainer

NETWORK = 125e6  # bytes a second of 1 Gbit/s


class Sleeps:
    """Learner that sleeps, and whose outputs depend on the subset."""

    def __init__(self, seconds, weights):
        self.seconds, self.weights = seconds, weights

    def __call__(self, train_indices, seed):
        """Return sums of weights, and noise."""
        time.sleep(self.seconds)
        noise = np.random.default_rng(seed).standard_normal(self.weights.shape[1])
        return self.weights[train_indices].sum(axis=0) + noise


class Sizes:
    """Processor time, memory and network of this process."""

    def __init__(self):
        self.start = time.perf_counter(), time.process_time(), loopback()

    def report(self, title, n_runs):
        """Print the change since the start; return processor time and bytes."""
        now = time.perf_counter(), time.process_time(), loopback()
        wall, cpu, network = np.subtract(now, self.start)
        status = Path("/proc/self/status").read_text().split()
        peak = int(status[status.index("VmHWM:") + 1]) / 1e3
        print(
            f"{title}, {n_runs:,} runs: {wall:.1f} s, driver {cpu:.2f} s of processor, "
            f"{network / 1e6:.1f} MB of network, peak memory {peak:.0f} MB",
            flush=True,
        )
        return np.array([cpu, network])


def loopback():
    """Return the bytes that this machine has sent to itself."""
    lines = Path("/proc/net/dev").read_text().splitlines()
    (line,) = (line for line in lines if line.strip().startswith("lo:"))
    return int(line.split(":")[1].split()[0])


def trouble(cluster, every, ended, log):
    """Kill a worker and let another one join, again and again."""
    while not ended.wait(every):
        nannies = [worker for worker in cluster.workers.values() if worker.process]
        pids = [nanny.process.pid for nanny in nannies if nanny.process.pid]
        if pids:
            with suppress(ProcessLookupError):
                os.kill(pids[0], signal.SIGKILL)
            log.append("died")
        cluster.scale(len(cluster.workers) + 1 if len(log) % 4 == 1 else 4)
        log.append("scaled")


def main():
    """Run all, and print what it needs."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n-runs", type=int, default=2000)
    parser.add_argument("--n-train", type=int, default=10_000)
    parser.add_argument("--n-targets", type=int, default=500)
    parser.add_argument("--milliseconds", type=float, default=50)
    parser.add_argument("--every", type=float, default=15, help="seconds to a death")
    arguments = parser.parse_args()
    print(describe_machine())
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((arguments.n_train, arguments.n_targets))
    train = Examples(np.zeros((arguments.n_train, 1)), np.zeros(arguments.n_train))
    targets = Examples(np.zeros((arguments.n_targets, 1)), np.zeros(len(weights.T)))
    learner = Sleeps(arguments.milliseconds / 1e3, weights)
    ids = np.arange(arguments.n_runs)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        cluster = stack.enter_context(
            LocalCluster(4, threads_per_worker=1, dashboard_address=":0")
        )
        stack.enter_context(Client(cluster))
        trainer = SubsetTrainer(learner, train, targets, store=folder, random_state=0)
        with parallel_config("dask"):
            trainer.fit_transform(ids[:8])  # lets the workers do their imports
            needs, n_calm = [], [len(ids) // 8, len(ids) * 3 // 8]
            for start, n in zip((8, 8 + n_calm[0]), n_calm, strict=True):
                sizes = Sizes()
                trainer.fit_transform(ids[start : start + n])
                needs.append(sizes.report("four workers", n))
            a_run = (needs[1] - needs[0]) / (n_calm[1] - n_calm[0])
            a_call = needs[0] - n_calm[0] * a_run
            for name, (cpu, network) in ("run", a_run), ("call", a_call):
                print(f"    a {name}: {1e3 * cpu:.2f} ms, {network / 1e3:.1f} kB")
            ended, log = threading.Event(), []
            thread = threading.Thread(
                target=trouble, args=(cluster, arguments.every, ended, log)
            )
            thread.start()
            sizes = Sizes()
            runs = trainer.fit_transform(ids)
            ended.set()
            thread.join()
            sizes.report("workers that die and join", len(ids) - sum(n_calm) - 8)
            print(f"    {log.count('died')} workers were killed")
            (path,) = (entry for entry in Path(folder).iterdir() if entry.is_dir())
            failures = len(RunStore(path).failures())
            print(f"    {failures} runs failed, {np.isnan(runs.outputs).sum()} outputs")
            sizes = Sizes()
            model = DatamodelRegressor(1.0, solver="gram", sparse=True, n_jobs=-1)
            far = model.fit(runs.packed, np.array(runs.outputs))
            sizes.report("regression on the cluster", len(runs))
    sizes = Sizes()
    near = DatamodelRegressor(1.0, solver="gram", sparse=True)
    near.fit(runs.packed, np.array(runs.outputs))
    sizes.report("regression in this process", len(runs))
    same = (near.coef_ != far.coef_).nnz == 0
    alone = SubsetTrainer(Sleeps(0, weights), train, targets, random_state=0)
    print(f"    same weights: {same}")
    print(f"    same runs: {(alone.fit_transform(ids).outputs == runs.outputs).all()}")
    for seconds in 1, 10, 60:
        by_time, by_network = seconds / a_run[0], seconds * NETWORK / a_run[1]
        print(
            f"runs of {seconds} s: {by_time:,.0f} workers by the driver's processor, "
            f"{by_network:,.0f} by a network of 1 Gbit/s"
        )


if __name__ == "__main__":
    main()
