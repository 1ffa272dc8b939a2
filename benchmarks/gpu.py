"""Benchmark of a GPU: tests, time of each part compared to its roofline, runs per day.

The sections run in this order; choose some of them by name:

- ``tests``: the tests of the kernels and the solvers on the device;
- ``rates``: the rates of products, copies and our kernels on the device;
- ``medium``: gram at 10,000 training examples, 60,000 runs, 2,000 targets;
- ``saga``: the same size, 20 lams;
- ``ridge``: the informed ridge with a prior of two attributions, 2,000 runs of 50,000
  training examples, 1,000 targets;
- ``full``: the paper's size, 50,000 training examples, 300,000 runs, 10,000 targets;
- ``images``: runs per day of ResNet-9, and of small stacked networks.

Each line is printed at once, so that little is lost if the script is interrupted. It
ends within ``--limit`` seconds: a section that is not likely to end by then is left
out, which is said, and programs that it runs are stopped. If one of them fails, so does
the script in the end. Masks
are random bytes (Bernoulli, alpha = 1/2), and outputs are computed by one product on
the device; the time to make them is printed separately. ``--device cpu --scale 0.01``
runs everything without a GPU.
"""

import argparse
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
from _machine import describe_machine

from skdatamodels import DatamodelRegressor, PackedMasks

SECTIONS = "tests", "rates", "medium", "saga", "ridge", "full", "images"
NEEDED = 60, 30, 20, 60, 30, 180, 60  # seconds that a section needs at the least


def say(*words):
    """Print without buffering."""
    print(*words, flush=True)


class Clock:
    """Seconds spent in named functions; waits for the device before and after."""

    def __init__(self, device):
        self.device, self.seconds, self.calls = device, {}, {}

    def wait(self):
        """Wait until the device is idle."""
        if self.device != "cpu":
            import torch

            torch.cuda.synchronize()

    @contextmanager
    def time(self, name):
        """Add the time of the block to a name."""
        self.wait()
        start = time.perf_counter()
        yield
        self.wait()
        self.seconds[name] = self.seconds.get(name, 0) + time.perf_counter() - start
        self.calls[name] = self.calls.get(name, 0) + 1

    def watch(self, owner, name):
        """Time each call of a method."""
        function = getattr(owner, name)

        def timed(*args, **kwargs):
            with self.time(name):
                result = function(*args, **kwargs)
            if name == "csr":  # a block of targets is done
                say(f"    block {self.calls[name]}: {sum(self.seconds.values()):.1f} s")
            return result

        setattr(owner, name, timed)

    def report(self, whole):
        """Print the time of each part, and the rest."""
        for name, seconds in sorted(self.seconds.items(), key=lambda item: -item[1]):
            say(f"    {name:<28} {seconds:8.2f} s in {self.calls[name]} calls")
        rest = whole - sum(self.seconds.values())
        say(f"    {'the rest (host)':<28} {rest:8.2f} s")
        self.seconds, self.calls = {}, {}


def make_runs(d, m, n, device):
    """Return packed random masks, and outputs of half signal and half noise."""
    import torch

    rng = np.random.default_rng(0)
    bits = np.frombuffer(bytearray(rng.bytes(m * (-(-d // 8)))), np.uint8).reshape(
        m, -1
    )
    bits[:, -1] &= 0xFF << (-d % 8) & 0xFF  # clear the bits after the last example
    masks = PackedMasks(bits, d)
    generator = torch.Generator(device).manual_seed(0)

    def normal(*shape):
        return torch.randn(shape, generator=generator, device=device)

    coef = normal(d, n) / normal(d, n).abs().clamp_min(0.2)  # a heavy tail
    coef *= torch.rand((d, n), generator=generator, device=device) < 0.1
    Y = np.empty((m, n), np.float32)
    bit = torch.arange(7, -1, -1, device=device, dtype=torch.uint8)
    torch.set_float32_matmul_precision("high")
    for start in range(0, m, 4096):
        rows = slice(start, start + 4096)
        packed = torch.from_numpy(masks.bits[rows]).to(device)
        x = ((packed[:, :, None] >> bit) & 1).reshape(len(packed), -1)[:, :d]
        signal = (x.float() - 0.5) @ coef
        noise = signal.std(0) * normal(*signal.shape)
        Y[rows] = (signal + noise).cpu().numpy()
    torch.set_float32_matmul_precision("highest")
    return masks, Y


def run_tests(arguments):
    """Run the tests that need the device; return whether some failed."""
    failed = False
    for name, folder, chosen in (
        ("regression", "tests/regression", "gpu"),
        ("training", "tests/training", "cuda"),
    ):
        start = time.perf_counter()
        command = [sys.executable, "-m", "pytest", folder, "-q", "-k", chosen]
        command += [
            "-p",
            "no:cacheprovider",
            "-p",
            "no:benchmark",
            "-n",
            str(arguments.jobs),
        ]
        try:
            limit = min(100, arguments.seconds_left())
            done = subprocess.run(command, timeout=limit).returncode
        except subprocess.TimeoutExpired:
            done = f"none, cut after {limit:.0f} s"
        failed |= done not in (0, 5)  # 5: there are none, without a device
        say(f"tests of {name}: exit {done}, {clock_since(start)}")
    return failed


def clock_since(start):
    """Return the seconds since `start` as text."""
    return f"{time.perf_counter() - start:.1f} s"


def rate_of(function, device, repeat=3):
    """Return the median seconds of a call."""
    import torch

    function()
    times = []
    for _ in range(repeat):
        if device != "cpu":
            torch.cuda.synchronize()
        start = time.perf_counter()
        function()
        if device != "cpu":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def measure_halves(z, gram, n_products, exact, device):
    """Print the rate of products of float16 halves, summed in float32."""
    import torch

    def split(a, scale):
        high = (a * scale).half()
        return high, ((a * scale - high) * 2048).half()

    scales = 1024 / z.abs().max().item(), 1024 / gram.abs().max().item()
    (z_high, z_low), (gram_high, gram_low) = split(z, scales[0]), split(gram, scales[1])
    n, d = z.shape

    def product():
        wide = {"out_dtype": torch.float32}
        out = torch.mm(z_high, gram_high, **wide)
        if n_products > 1:
            low = torch.mm(z_low, gram_high, **wide)
            if n_products > 2:
                low += torch.mm(z_high, gram_low, **wide)
            out += low / 2048
        return out

    seconds = rate_of(product, device)
    found = product()[:16, :2000] / (scales[0] * scales[1])
    say(
        f"product ({n}, {d}) × ({d}, {d}), {n_products} of float16: "
        f"{1e3 * seconds:.1f} ms, relative error "
        f"{((found - exact).norm() / exact.norm()).item():.1e}"
    )


def measure_rates(arguments):
    """Print the rates of products, copies and kernels."""
    import torch

    device, d = arguments.device, arguments.size(50_000)
    rng = torch.Generator(device).manual_seed(0)
    gram = torch.randn((d, d), generator=rng, device=device) * 5e-4
    for n in 512, 2048, 8192:
        z = torch.randn((n, d), generator=rng, device=device)
        exact = z[:16].double() @ gram[:, :2000].double()
        for precision in "highest", "high":
            torch.set_float32_matmul_precision(precision)
            seconds = rate_of(lambda z=z: z @ gram, device)
            error = (z[:16] @ gram[:, :2000] - exact).norm() / exact.norm()
            flops = 2 * n * d * d / seconds / 1e12
            say(
                f"product ({n}, {d}) × ({d}, {d}), {precision}: {1e3 * seconds:.1f} ms,"
                f" {flops:.0f} TFLOP/s, relative error {error:.1e}"
            )
        if device != "cpu":
            for halves in 1, 2, 3:
                measure_halves(z, gram, halves, exact, device)
        torch.set_float32_matmul_precision("highest")
    host = np.empty(arguments.size(2**28), np.float32)
    for name, tensor in (
        ("pageable", torch.from_numpy(host)),
        ("pinned", torch.empty(len(host), pin_memory=device != "cpu")),
    ):
        up = rate_of(lambda t=tensor: t.to(device), device)
        there = tensor.to(device)
        down = rate_of(lambda t=tensor, a=there: t.copy_(a), device)
        say(
            f"copies, {name}: {host.nbytes / up / 1e9:.1f} GB/s up, "
            f"{host.nbytes / down / 1e9:.1f} down"
        )


def fit_and_report(name, model, masks, Y, clock):
    """Fit, and print the total time and that of each part."""
    import torch

    if clock.device != "cpu":
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    model.fit(masks, Y)
    clock.wait()
    seconds = time.perf_counter() - start
    m, n = Y.shape
    say(f"{name}: d = {masks.n_train:,}, m = {m:,}, {n:,} targets: {seconds:.1f} s")
    if hasattr(model, "validation_error_"):
        followed = np.isfinite(model.validation_error_).sum(axis=1).mean()
        say(
            f"    lams followed {followed:.1f}, iterations of the last fit "
            f"{model.n_iter_.mean():.1f}, largest gap {model.dual_gap_.max():.1e}"
        )
    clock.report(seconds)
    if clock.device != "cpu":
        peak = torch.cuda.max_memory_allocated() / 2**30
        say(f"    peak memory of the card {peak:.1f} GiB")
    return seconds


def watch_parts(clock):
    """Time the parts of a fit on the device."""
    if clock.device == "cpu":
        return
    from skdatamodels.regression._cuda.gram import (
        DeviceMatrix,
        DeviceProblem,
        DeviceRuns,
    )
    from skdatamodels.regression._cuda.streams import DeviceMoments

    for owner, names in (
        (DeviceRuns, ("moments", "pair_sums", "matrix", "held_out")),
        (DeviceMatrix, ("solve", "squared_errors", "csr", "place")),
        (DeviceProblem, ("of",)),
        (DeviceMoments, ("covariances",)),
    ):
        for name in names:
            clock.watch(owner, name)


def roofline(d, m, n, arguments):
    """Print lower bounds of the times of a fit, for products of float16."""
    pairs, covariances, iteration = (
        2 * size / arguments.float16 / 1e12
        for size in (m * d**2, 2 * m * d * n, d**2 * n)
    )
    say(
        f"    roofline: pairs {pairs:.2f} s, covariances {covariances:.2f} s, an "
        f"iteration of all targets {iteration:.3f} s, three times that where the "
        "product is precise"
    )


def run_medium(arguments):
    """Fit by gram at 10,000 training examples."""
    d, m, n = (arguments.size(s) for s in (10_000, 60_000, 2_000))
    fit_sizes(arguments, "medium", d, m, n, n_lams=50)


def run_saga(arguments):
    """Fit by saga at 10,000 training examples."""
    d, m, n = (arguments.size(s) for s in (10_000, 60_000, 2_000))
    masks, Y = make_runs(d, m, n, arguments.device)
    model = DatamodelRegressor(
        n_lams=20,
        lam_min_ratio=0.1,
        solver="saga",
        device=arguments.device,
        random_state=0,
    )
    fit_and_report("saga, 20 lams to 0.1", model, masks, Y, Clock(arguments.device))


def run_ridge(arguments):
    """Fit the informed ridge with a prior, so that each target has its own system."""
    d, m, n = (arguments.size(s) for s in (50_000, 2_000, 1_000))
    masks, Y = make_runs(d, m, n, arguments.device)
    # correlations of the masks with each half of the runs, as two methods might give
    half = m // 2
    prior = {
        name: (Y[rows] - Y[rows].mean(axis=0)).T @ (masks[rows].dense() - 0.5)
        for name, rows in (("a", slice(half)), ("b", slice(half, m)))
    }
    model = DatamodelRegressor(
        penalty="l2", prior=prior, device=arguments.device, random_state=0
    )
    clock = Clock(arguments.device)
    if clock.device != "cpu":
        from skdatamodels.regression._cuda.algebra import DeviceAlgebra

        for name in "gram", "product", "factor", "inverse", "eigh":
            clock.watch(DeviceAlgebra, name)
    seconds = fit_and_report("ridge, prior of two", model, masks, Y, clock)
    bound = 1e3 * 3 * 2 * m**2 * d / arguments.float16 / 1e12
    say(
        f"    {1e3 * seconds / n:.1f} ms a target; roofline of the products "
        f"{bound:.2f} ms a target"
    )


def run_full(arguments):
    """Fit at the paper's full size."""
    d, m, n = (arguments.size(s) for s in (50_000, 300_000, 10_000))
    fit_sizes(arguments, "full", d, m, n, n_lams=100)


def fit_sizes(arguments, name, d, m, n, n_lams):
    """Fit by gram on runs of a given size."""
    start = time.perf_counter()
    masks, Y = make_runs(d, m, n, arguments.device)
    say(f"{name}: runs made in {clock_since(start)}")
    clock = Clock(arguments.device)
    watch_parts(clock)
    model = DatamodelRegressor(
        n_lams=n_lams,
        sparse=True,
        solver="gram",
        device=arguments.device,
        random_state=0,
    )
    start = time.perf_counter()
    model.fit(masks[:500], Y[:500, :2])
    say(f"    first fit of all, with compilation: {clock_since(start)}")
    clock.seconds, clock.calls = {}, {}
    fit_and_report(f"gram, {n_lams} lams", model, masks, Y, clock)
    roofline(d, m, n, arguments)


def run_images(arguments):
    """Time runs of ResNet-9 and of small networks; return whether that failed."""
    command = [sys.executable, "benchmarks/training_images.py"]
    command += ["--train", str(arguments.size(50_000))]
    command += ["--targets", str(arguments.size(10_000)), "--device", arguments.device]
    try:
        done = subprocess.run(command, timeout=arguments.seconds_left(), check=False)
    except subprocess.TimeoutExpired:
        say("cut: the time is up")
        return False
    return done.returncode != 0


def main():
    """Run the sections."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sections", nargs="*", metavar="section", help=str(SECTIONS))
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--scale", type=float, default=1, help="of all sizes")
    parser.add_argument("--jobs", type=int, default=8, help="processes of the tests")
    parser.add_argument("--float16", type=float, default=990, help="peak TFLOP/s")
    parser.add_argument("--limit", type=float, default=480, help="seconds in all")
    arguments = parser.parse_args()
    end = time.perf_counter() + arguments.limit
    arguments.seconds_left = lambda: max(1.0, end - time.perf_counter())
    arguments.size = lambda size: max(48, int(size * arguments.scale))
    say(describe_machine())
    if arguments.device != "cpu":
        import torch

        say(torch.cuda.get_device_name(), "torch", torch.__version__)
    work = dict(
        zip(
            SECTIONS,
            (
                run_tests,
                measure_rates,
                run_medium,
                run_saga,
                run_ridge,
                run_full,
                run_images,
            ),
            strict=True,
        )
    )
    failed = []
    for section in arguments.sections or SECTIONS:
        needed = NEEDED[SECTIONS.index(section)] * min(1, arguments.scale)
        if arguments.seconds_left() < needed:
            say(f"== {section}: left out, {arguments.seconds_left():.0f} s are left\n")
            continue
        start = time.perf_counter()
        if work[section](arguments):
            failed.append(section)
        say(f"== {section}: {clock_since(start)}\n")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
