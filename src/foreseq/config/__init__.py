"""Every choice a user can make: one field in one place, with its bounds and its meaning.

Comes in: YAML, mappings and `name=value` overrides. Goes out: frozen configs.
"""

from foreseq.config.experiment import *  # noqa: F403 for the move alone
