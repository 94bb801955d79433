import fsspec
import pytest

from foreseq.config import DatasetConfig, build_experiment
from foreseq.errors import ConfigError, DataRefused
from foreseq.ingest.fetch import fetch
from foreseq.ingest.read import read_table
from foreseq.ingest.store import ingest

CSV = b"unique_id,ds,y\na,1,1\na,2,2\n"


def dataset(source: str) -> DatasetConfig:
    return DatasetConfig(source=source, horizon=1)


@pytest.fixture
def remote():
    """Return an empty file system that is not this machine's."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


def test_a_local_file_stays_where_it_is(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(CSV)
    assert fetch(dataset(str(path)), tmp_path / "raw") == path
    assert not (tmp_path / "raw").exists()


def test_a_copy_is_kept_under_its_content(tmp_path, remote):
    remote.pipe("/shop/a.csv", CSV)
    config = dataset("memory://shop/a.csv")
    first = fetch(config, tmp_path)
    assert first.read_bytes() == CSV
    assert fetch(config, tmp_path) == first
    remote.pipe("/shop/a.csv", CSV + b"a,3,3\n")
    second = fetch(config, tmp_path)
    assert first.read_bytes() == CSV
    assert second.read_bytes() == CSV + b"a,3,3\n"
    assert sorted(tmp_path.iterdir()) == sorted([first.parent, second.parent])


def test_a_remote_folder_is_copied_whole(tmp_path, remote):
    remote.pipe({"/shop/x/1.parquet": b"1", "/shop/2.parquet": b"2"})
    folder = fetch(dataset("memory://shop"), tmp_path)
    found = {str(file.relative_to(folder)) for file in folder.rglob("*.parquet")}
    assert found == {"2.parquet", "x/1.parquet"}


def test_a_copy_cut_short_is_refused_and_leaves_nothing(tmp_path, remote, monkeypatch):
    remote.pipe("/a.csv", CSV)
    monkeypatch.setattr(type(remote), "info", lambda *_, **__: {"size": 99, "type": "file"})
    with pytest.raises(DataRefused, match=r"file of 99 bytes must arrive, found 27 bytes; run"):
        fetch(dataset("memory://a.csv"), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("remote")
def test_a_url_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataRefused, match=r"memory://no.csv: the source must exist"):
        fetch(dataset("memory://no.csv"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_kind_of_url_is_a_mistake_of_the_configuration(tmp_path):
    with pytest.raises(ConfigError, match="install the package"):
        fetch(dataset("carrier-pigeon://a.csv"), tmp_path)


def test_a_variable_of_the_environment_is_read_when_the_url_is(tmp_path, remote, monkeypatch):
    remote.pipe("/shop/a.csv", CSV)
    config = dataset("memory://${SHOP}/a.csv")
    with pytest.raises(ConfigError, match=r"needs \$\{SHOP\}"):
        fetch(config, tmp_path)
    monkeypatch.setenv("SHOP", "shop")
    assert fetch(config, tmp_path).read_bytes() == CSV
    assert config.source == "memory://${SHOP}/a.csv"


def test_no_configuration_keeps_a_password():
    said = {"dataset": {"source": "s3://me:secret@bucket/a.csv", "horizon": 1}}
    with pytest.raises(ConfigError, match=r"write \$\{NAME\}") as caught:
        build_experiment(said)
    assert "secret" not in str(caught.value)
    assert dataset("s3://me:${SECRET}@bucket/a.csv").source.count("SECRET") == 1


def test_no_message_shows_a_password(monkeypatch):
    monkeypatch.setenv("SECRET", "secret")
    with pytest.raises(ConfigError) as caught:
        read_table(dataset("pigeon://me:${SECRET}@coop/a.csv?signature=hush"))
    assert "secret" not in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_url_is_ingested_through_its_copy(tmp_path, remote):
    remote.pipe("/shop/a.csv", CSV)
    config = dataset("memory://shop/a.csv")
    assert ingest(config, tmp_path / "series").fresh
    assert len(list((tmp_path / "raw").rglob("a.csv"))) == 1
    assert not ingest(config, tmp_path / "series").fresh


def test_a_dataset_without_a_source_cannot_be_fetched(tmp_path):
    with pytest.raises(ConfigError, match=r"dataset\.source: is empty; set it to"):
        fetch(dataset(""), tmp_path)
