import pytest
from prefect.states import Failed

from foreseq.config import DatasetConfig
from foreseq.errors import DataRefused
from foreseq.ingest.fetch import fetch
from foreseq.pipelines.flows.ingest import may_pass


def failure(source, raw):
    with pytest.raises(DataRefused) as caught:
        fetch(DatasetConfig(source=source, horizon=1), raw)
    return Failed(data=caught.value)


def test_a_source_out_of_reach_is_tried_again(tmp_path):
    assert may_pass(None, None, failure("memory://nosuch/series.csv", tmp_path))


def test_a_file_that_is_not_there_is_not_tried_again(tmp_path):
    assert not may_pass(None, None, failure(str(tmp_path / "nosuch.csv"), tmp_path))
