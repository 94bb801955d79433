"""What was tried, written down: one MLflow run per training, made to be compared.

An experiment of MLflow is named as the model in the registry, so that its runs compete for the same
place. Every run has the same metrics and the same files at its root, which is what the compare
views of MLflow's pages line up.
"""
