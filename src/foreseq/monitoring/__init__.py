"""Monitoring of published forecasters: past forecasts and newest data in, a decision out.

`actuals` joins forecasts with the actuals that have arrived, `origins` sums them up by forecast
origin, next to a reference backtest, `chart` and `data_drift` test them, `assessment` decides,
`check` does all of that and writes it down, `decisions` remembers it, `recalibration` refits
intervals.
"""
