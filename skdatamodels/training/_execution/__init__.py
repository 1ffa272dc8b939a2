"""Execution of runs in processes, threads and clusters, with a time limit."""
