"""Pages and pictures for people. In: a backtest and what was chosen. Out: HTML and figures."""
