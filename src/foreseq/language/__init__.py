"""Language models: the recurrent stack that forecasts, reading characters instead."""
