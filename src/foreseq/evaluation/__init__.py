"""Backtests, the forecasts to beat, and the gate.

In: fitted forecasters and a panel. Out: a `Backtest`, a `Comparison` with statistical baselines,
the gate's decision, and the contracts that any forecaster has to keep.
"""
