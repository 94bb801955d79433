import numpy as np

from foreseq.config import CellsConfig
from foreseq.diagnostics.gradients import Flow
from foreseq.diagnostics.probes import ProbeConfig
from foreseq.tracking import store
from foreseq.tracking.diagnosis import track


def test_a_diagnosis_leaves_curves_by_lag_a_figure_a_table_and_its_warnings():
    flows = [
        Flow("simple", "untrained", np.geomspace(1, 1e-9, 12)),
        Flow("lstm", "trained without clipping", np.ones(12)),
    ]
    run_id = track(CellsConfig(units=(4,)), ProbeConfig(length=12), flows)
    client = store.open_store()
    assert {file.path for file in client.list_artifacts(run_id)} == {
        "gradients.json", "gradients.png", "warnings.txt",
    }  # fmt: skip
    curve = client.get_metric_history(run_id, "simple/untrained")
    assert [point.step for point in curve] == list(range(12))
    assert store.get_run(run_id).data.params["probe.length"] == "12"
