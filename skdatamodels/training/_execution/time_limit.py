"""A time limit for runs, enforced by child processes that end themselves."""

import contextlib
import faulthandler
import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
import uuid
import warnings
import weakref
from functools import partial
from multiprocessing.connection import Connection

import cloudpickle

_ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
_LOOK_SECONDS = 0.5  # interval of checks that the child is alive


class TimeLimited:
    """A learner whose runs have a time limit.

    Training that hangs in C code or on a lock cannot be stopped from inside. Therefore,
    each worker trains in a child process, whose watchdog ends it at the limit. The next
    run gets a new child. If a run crashes, only the child dies, not the worker.

    Parameters
    ----------
    learner : callable
        ``(train_indices, seed) -> outputs``. It may have ``train_many`` and the other
        attributes that :func:`skdatamodels.training._execution.driver.train_runs` uses.
    seconds : float
        Time limit of a run. The limit of n runs that are trained together is n times
        as long.
    key : str, optional
        Key that identifies the children of this learner.

    Raises
    ------
    NotImplementedError
        On Windows, which has no process groups to end a run with all its processes.

    Notes
    -----
    Output that the learner prints goes to stderr.

    Examples
    --------
    >>> import time
    >>> from skdatamodels.training._execution.time_limit import TimeLimited
    >>> def learner(train_indices, seed):
    ...     time.sleep(seed)
    ...     return [1.0]
    >>> limited = TimeLimited(learner, seconds=2)
    >>> limited([0, 1], 0)
    [1.0]
    >>> limited([0, 1], 60)
    Traceback (most recent call last):
    ...
    TimeoutError: A run took longer than timeout=2 s and was stopped...
    >>> limited.close()
    """

    def __init__(self, learner, seconds, key=None):
        if not hasattr(os, "killpg"):
            raise NotImplementedError(
                f"timeout={seconds} needs Linux or macOS: this system has no process "
                "groups, which are needed to end a run and the processes that it has "
                "started. Use timeout=None."
            )
        self.learner, self.seconds = learner, seconds
        self.key = uuid.uuid4().hex if key is None else key

    def __reduce__(self):
        return TimeLimited, (self.learner, self.seconds, self.key)

    def __getattr__(self, name):  # block_size and prepare, if the learner has them
        return getattr(self.learner, name)

    def __call__(self, train_indices, seed):
        """Return the outputs of a run, or raise if it exceeds the limit."""
        return self._ask("__call__", 1, train_indices, seed)

    def train_and_measure(self, train_indices, seed):
        """Return the model and the outputs of a run, or raise if it is too slow."""
        return self._ask("train_and_measure", 1, train_indices, seed)

    @property
    def train_many(self):
        """Function that trains several runs, if the learner has one."""
        self.learner.train_many  # noqa: B018, an AttributeError if there is none
        return lambda masks, seeds: self._ask("train_many", len(masks), masks, seeds)

    def close(self):
        """End the child process of this thread, if there is one."""
        if getattr(_mine, "key", None) == self.key:
            _mine.child.end()
            _mine.key = None

    def _ask(self, method, n_runs, *args):
        if getattr(_mine, "key", None) != self.key or not _mine.child.alive:
            _mine.child = _Child(self.learner)  # ends the child of another learner
            _mine.key = self.key
        try:
            failure, outputs, warned = _mine.child.ask(
                (method, args, n_runs * self.seconds)
            )
        except EOFError:
            raise _mine.child.reason(self.seconds) from None
        for category, message in warned.items():
            warnings.warn(message, category, stacklevel=2)
        if failure:
            raise RuntimeError(f"A run failed in its process:\n{failure}")
        return outputs


_mine = threading.local()  # the child of this thread, and the key of its learner


class _Child:
    """A process that trains runs of a learner, one after another."""

    def __init__(self, learner):
        self._trace = tempfile.TemporaryFile()  # noqa: SIM115, `_end` closes it
        code = (
            f"import sys; sys.path[:] = {sys.path}; "
            f"from {__name__} import serve; serve({self._trace.fileno()})"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | _ONE_THREAD,
            pass_fds=[self._trace.fileno()],
            start_new_session=True,  # so that what it starts can be ended with it
        )
        self._inbox = Connection(os.dup(self._process.stdin.fileno()), readable=False)
        self._outbox = Connection(os.dup(self._process.stdout.fileno()), writable=False)
        self._process.stdin.close()
        self._process.stdout.close()
        self.end = weakref.finalize(self, _end, self._process, self._trace, os.getpid())
        with contextlib.suppress(OSError):  # it has died; the first run will notice
            self._inbox.send_bytes(cloudpickle.dumps(learner))

    @property
    def alive(self):
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            return self._process.poll() is None
        # WNOWAIT keeps the process id reserved until `_end` waits for it.
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        ended = self._process.returncode is not None
        return not ended and os.waitid(os.P_PID, self._process.pid, options) is None

    def ask(self, question):
        """Return the answer, or raise EOFError if the process dies."""
        try:
            self._inbox.send_bytes(cloudpickle.dumps(question))
            # The pipe may stay open after the process ends, if its children hold it.
            while not self._outbox.poll(_LOOK_SECONDS):
                if not self.alive and not self._outbox.poll():
                    raise EOFError
            return cloudpickle.loads(self._outbox.recv_bytes())
        except OSError:  # it died before it read the question or while it answered
            raise EOFError from None

    def reason(self, seconds):
        """Return an error with the reason why the process died."""
        self._trace.seek(0)
        trace = self._trace.read().decode(errors="replace")
        self.end()
        if trace:
            return TimeoutError(
                f"A run took longer than timeout={seconds} s and was stopped here:\n"
                f"{trace}"
            )
        code = self._process.returncode
        how = f"with exit code {code}"
        if code < 0:
            how = f"by {signal.Signals(-code).name}"
        return RuntimeError(f"The process that trained this run was ended {how}.")


def _end(process, trace, owner):
    if os.getpid() != owner:  # a fork of the owner
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    trace.close()


def serve(trace):
    """Train the runs that are requested on stdin. This is called in the child.

    Parameters
    ----------
    trace : int
        File descriptor to which the watchdog writes the traceback of a stopped run.
    """
    inbox = Connection(os.dup(0), writable=False)
    outbox = Connection(os.dup(1), readable=False)
    os.dup2(2, 1)  # so that prints of the learner do not mix with answers
    loading, learner, _ = _attempt(partial(cloudpickle.loads, inbox.recv_bytes()))
    with contextlib.suppress(EOFError):
        while True:
            method, args, seconds = cloudpickle.loads(inbox.recv_bytes())
            answer = loading, None, {}
            if not loading:
                faulthandler.dump_traceback_later(seconds, exit=True, file=trace)
                answer = _attempt(partial(getattr(learner, method), *args))
                faulthandler.cancel_dump_traceback_later()
            outbox.send_bytes(cloudpickle.dumps(answer))


def _attempt(work):
    """Call `work`; return the traceback or None, the result, and its warnings."""
    failure = result = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = work()
        except (Exception, SystemExit):
            failure = traceback.format_exc()
    warned = {}
    for warning in caught:
        warned.setdefault(warning.category, str(warning.message))
    return failure, result, warned
