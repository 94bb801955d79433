"""Fuzzing is a command: nothing in this folder is collected."""

collect_ignore_glob = ["*.py"]
