"""The only room that knows MLflow: what was tried is written down, what is published is kept.

Trainings, studies, checks of past forecasts and diagnoses come in; MLflow runs, registered versions
and folders of bundles go out. An MLflow experiment has the name of the model in the registry, so
that its runs compete for the same place.
"""
