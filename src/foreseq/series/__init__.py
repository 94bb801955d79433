"""Series in memory: times, panels of many series, windows of them, and synthetic series.

In: arrays on a regular grid of time, from `ingest` or a frame. Out: a `Panel`, and the inputs
that a network reads at chosen cutoffs.
"""
