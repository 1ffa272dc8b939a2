"""Runs on processes, threads and clusters, within a time limit."""
