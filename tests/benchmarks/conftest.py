"""Benchmarks are commands: nothing in this folder is collected."""

collect_ignore_glob = ["*.py"]
