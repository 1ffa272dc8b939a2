"""Small benchmarks whose figures are kept from commit to commit.

What has a reference is a ratio, our time over that of the reference in the same process
and minute, so that figures of different days and machines compare; lower is better.
The sizes of the paper, and what was measured at them, are in the scripts one folder up.
"""
