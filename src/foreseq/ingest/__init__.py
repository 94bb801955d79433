"""From a user's file to a validated panel on disk.

In: a `DatasetConfig` that names a file, a folder, a URL or a database. Out: a `Panel` on a
regular grid of time, with every repair counted, and the versions that the dataset has had. Data
that break a rule are refused with their file, series, row and a remedy.
"""
