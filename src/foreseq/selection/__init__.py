"""What the user left open.

In: an `ExperimentConfig` and a panel. Out: a `ResolvedExperiment`, chosen by rules and by short
trainings (`choose`), or by a study of many trainings (`tuning`).
"""
