"""One experiment from panel to report, and checks of it.

In: an `ExperimentConfig` and a panel. Out: an `Outcome` (`recipe`): the fitted forecaster, its
backtest, what was chosen. `verify` checks that nothing looks ahead, `reproduce` trains again.
"""
