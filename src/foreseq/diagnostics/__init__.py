"""How far back a recurrent stack can learn from.

In: the cells of an experiment and a synthetic task that needs a long memory. Out: the gradient at
each lag before and after training, as table, figure and warnings.
"""
