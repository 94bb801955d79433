"""From a trained network to forecasts.

In: a panel and a fitted bundle. Out: calibrated forecasts and sample paths (`ensemble`), as tables
or as folders of Parquet parts (`writer` in memory, `bulk` file by file).
"""
