# %% [markdown]
# # From a frame to a published model
#
# Twelve shops, 300 days of sales each, with a week and noise. Any frame with the columns
# `unique_id, ds, y` will do; polars and pyarrow are as good as pandas.

# %%
import subprocess

import numpy as np
import pandas as pd

from foreseq import Forecaster, load

rng = np.random.default_rng(1)
days = pd.date_range("2025-01-01", periods=300)
week = np.array([1.0, 1.0, 1.1, 1.2, 1.5, 2.0, 0.4])
df = pd.concat(
    pd.DataFrame(
        {
            "unique_id": f"shop-{i}",
            "ds": days,
            "y": rng.poisson((20 + 5 * i) * week[days.dayofweek]),
        }
    )
    for i in range(12)
)

# %% [markdown]
# ## Fit and predict
#
# `fit` chooses the network from the data within the time budget, trains it, tests it on the newest
# 14 days, and trains on with everything. A few seconds are for this page; give it minutes.

# %%
model = Forecaster(horizon=14, time_budget="8s", name="shops").fit(df)
forecast = model.predict()
forecast.head()  # y_hat is the median; q10 and q90 bound an 80% interval

# %% [markdown]
# ## How far can it be trusted?
#
# `skill` is the share of another forecaster's error that is avoided. `choices` says what was chosen
# from the data, and why.

# %%
model.scores()
model.choices

# %%
backtest = model.cross_validation(n_windows=3)  # trained once more, before these windows
inside = backtest["y"].between(backtest["q10"], backtest["q90"]).mean()
print(f"{inside:.0%} of the days lie inside the 80% interval")

# %%
model.plot("shop-3")
model.report("report.html")

# %% [markdown]
# ## Sums over days
#
# Quantiles of single days do not add up to those of a week; sample paths do.

# %%
paths = model.predict(sample_paths=200).filter(regex="^sample|^path")
weekly = paths.groupby(forecast["unique_id"]).sum().quantile([0.1, 0.9], axis=1).T

# %% [markdown]
# ## Save, load, and forecast series that are new
#
# A bundle holds config and weights, no data and no code.

# %%
model.save("shops.bundle")
new = df[df["unique_id"] == "shop-3"].assign(unique_id="new-shop")
load("shops.bundle").predict(new).head()

# %% [markdown]
# ## Publish, and forecast every night
#
# The command line trains the same way, tracks the run in MLflow, and publishes the model if the
# gate finds it better than naive forecasts and the champion. `load` reads it from the registry.

# %%
df.to_parquet("shops.parquet")
command = "foreseq run --data shops.parquet --horizon 14 --time-budget 8s --output tonight"
subprocess.run(command.split(), check=True)
champion = load("shops@champion")
champion.predict(df).head()
pd.read_parquet("tonight").head()
