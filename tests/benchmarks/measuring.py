"""What the benchmarks share: how they tell what they see."""

import sys


def say(line):
    """Write a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def looked(progress):
    """Tell how training goes; what `training.fit` wants to be given."""
    look = progress.look
    at = f"  member {progress.member + 1}  step {look.step}"
    say(f"{at}  loss {look.loss:.4f}  validation {look.validation:.4f}")
