"""From windows to weights.

In: a panel with the steps that may be used, and a resolved experiment. Out: fitted members of the
ensemble. `loop` is the training loop of forecasts and text, `fitting` runs it for each member,
`workers` does so in parallel processes.
"""
