"""A peer's forecasts from its own Python: Parquet of histories in, Parquet of forecasts out.

    OTHER/bin/python peer_forecasts.py sf.AutoETS IN.parquet OUT.parquet '{"horizon": 48, ...}'

The histories hold `unique_id`, an integer `ds` from 0 and `y`; the forecasts `unique_id`, `step`
and `y_hat`. The last line printed is JSON: seconds of fitting and forecasting, imports apart, and
the peak memory of this process in MB with them. Other settings stay at the peer's defaults.
"""

import json
import os
import re
import signal
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")


def main():
    """Run one peer."""
    threading.Thread(target=follow, args=(os.getppid(),), daemon=True).start()
    name, source, target, settings = sys.argv[1:5]
    options = json.loads(settings)
    history = pd.read_parquet(source)
    library, model = name.split(".", 1)
    prepare = {"nf": neuralforecast, "sf": statsforecast, "darts": darts}[library]
    forecast = prepare(model, options)
    imports = memory()
    begun = time.perf_counter()
    table = forecast(history)
    seconds = time.perf_counter() - begun
    table.to_parquet(target, index=False)
    peak = memory()
    sys.stdout.write(json.dumps({"seconds": seconds, "peak": peak, "imports": imports}) + "\n")


def follow(parent):
    """End with whoever asked, however that ended, and take along the workers."""
    while os.getppid() == parent:
        time.sleep(1)
    os.killpg(0, signal.SIGKILL)


def memory():
    """Return the most memory this process has held, in MB; `getrusage` counts the parent's, too."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def neuralforecast(model, options):
    """Return what trains a network of neuralforecast and forecasts with it."""
    from neuralforecast import NeuralForecast, models  # noqa: PLC0415 only where it is asked for

    horizon = options["horizon"]
    settings = {
        "h": horizon,
        "input_size": options["context"],
        "scaler_type": "robust",
        "random_seed": options["seed"],
        "enable_progress_bar": False,
        "logger": False,
        "enable_checkpointing": False,
        "accelerator": "cpu",
        **({"max_steps": options["steps"]} if options.get("steps") else {}),
    }

    def forecast(history):
        network = getattr(models, model)(**settings)
        together = NeuralForecast(models=[network], freq=1)
        together.fit(history)
        return _steps(together.predict().reset_index(), model, horizon)

    return forecast


def statsforecast(model, options):
    """Return what fits a classical model to each series and forecasts with it."""
    from statsforecast import StatsForecast, models  # noqa: PLC0415 only where it is asked for

    season, horizon = options["season"], options["horizon"]
    made = {
        "AutoETS": lambda: models.AutoETS(season_length=season),
        "AutoTheta": lambda: models.AutoTheta(season_length=season),
        # the exact likelihood takes hours on hundreds of steps, long seasons ever
        "AutoARIMA": lambda: models.AutoARIMA(
            season_length=season if season <= LONGEST_SEASON else 1, approximation=True
        ),
        "MSTL": lambda: models.MSTL(season_length=[season]),
        "SeasonalNaive": lambda: models.SeasonalNaive(season_length=season),
    }[model]

    def forecast(history):
        together = StatsForecast(
            models=[made()], freq=1, n_jobs=options["threads"],
            fallback_model=models.SeasonalNaive(season_length=season),
        )  # fmt: skip
        return _steps(together.forecast(df=history, h=horizon).reset_index(), model, horizon)

    return forecast


def darts(model, options):
    """Return what trains a recurrent network of darts on all series and forecasts with it."""
    from darts import TimeSeries, models  # noqa: PLC0415 only where it is asked for
    from darts.dataprocessing.transformers import Scaler  # noqa: PLC0415

    horizon = options["horizon"]

    def forecast(history):
        ids = history["unique_id"].unique()
        series = [
            TimeSeries.from_values(part.to_numpy(np.float32))
            for _, part in history.groupby("unique_id", sort=False)["y"]
        ]
        scaler = Scaler()
        scaled = scaler.fit_transform(series)
        network = models.BlockRNNModel(
            input_chunk_length=options["context"],
            output_chunk_length=horizon,
            model=model,
            n_epochs=1,
            random_state=options["seed"],
            pl_trainer_kwargs={
                "accelerator": "cpu",
                "enable_progress_bar": False,
                "logger": False,
                "max_steps": options.get("steps") or 1000,
                "max_epochs": -1,
            },
        )
        network.fit(scaled)
        answers = scaler.inverse_transform(network.predict(horizon, series=scaled))
        values = np.stack([answer.values()[:, 0] for answer in answers])
        return pd.DataFrame(
            {
                "unique_id": np.repeat(ids, horizon),
                "step": np.tile(np.arange(1, horizon + 1), len(ids)),
                "y_hat": values.ravel(),
            }
        )

    return forecast


LONGEST_SEASON = 24
"""Steps beyond which a seasonal ARIMA takes minutes a series."""


def _steps(table, model, horizon):
    """Return forecasts by step ahead."""
    column = next(name for name in table.columns if name.startswith(model))
    table = table.sort_values(["unique_id", "ds"], kind="stable")
    step = np.tile(np.arange(1, horizon + 1), table["unique_id"].nunique())
    return pd.DataFrame(
        {
            "unique_id": table["unique_id"].to_numpy(),
            "step": step,
            "y_hat": table[column].to_numpy(),
        }
    )


if __name__ == "__main__":
    main()
