"""What is published: versions of a model, and the aliases `champion` and `previous`.

Why a champion is replaced only if it is the one the gate saw: two trainings may end at the same
time, and then each has beaten the old champion, but not the other.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

# isort: split -- the store settles what MLflow reads from the environment when it is imported
from foreseq.config.dataset import without_secrets
from foreseq.tracking import store

# isort: split
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities.model_registry import ModelVersion as MlflowVersion
from mlflow.exceptions import MlflowException

from foreseq.durable import files, manifest
from foreseq.errors import BundleRefused, ConfigError, NotPublished

CHAMPION, PREVIOUS = "champion", "previous"
DIGEST = "digest"
"""Tag of a version: what stands for its bundle."""
ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""What MLflow answers where there is no such model or version, and no such alias."""
MOST_TOLD = 10
"""Versions or models that a message names at most."""
TRAIN = "train one with `foreseq run`"


@dataclass(frozen=True)
class ModelVersion:
    """One registered forecaster.

    Example:
        >>> print(ModelVersion("airline", 3, run_id="4a5b", digest="9c1f"))
        airline/3
    """

    name: str
    version: int
    run_id: str
    digest: str
    """Of its bundle."""

    def __str__(self) -> str:
        """Return what means this version for ever, and what `resolve` takes."""
        return f"{self.name}/{self.version}"


def register(run_id: str, name: str) -> ModelVersion:
    """Return the version made of a run's bundle; registering it again gives the same one.

    Raises:
        ConfigError: If there is no such run, or it has no bundle.
    """
    client = store.open_store()
    tags = _bundle_tags(run_id)
    with store.lock():
        for found in client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'"):
            if found.tags.get(DIGEST) == tags[store.BUNDLE_TAG]:
                return _version(found)
        _create_model(client, name)
        return _version(
            client.create_model_version(
                name,
                source=_source(client, tags[store.MODEL_TAG]),
                run_id=run_id,
                tags={DIGEST: tags[store.BUNDLE_TAG]},
                model_id=tags[store.MODEL_TAG],
            )
        )


def resolve(wanted: str) -> ModelVersion:
    """Return the version that is meant by `NAME@champion`, `NAME/3`, or `NAME` for its champion.

    Raises:
        ConfigError: If nothing is registered under that name, number or alias.
    """
    parts = re.fullmatch(r"([\w.-]+)(?:@([\w-]+)|/(\d+))?", wanted)
    if parts is None:
        raise ConfigError(f"{wanted}: write a model as NAME, NAME@champion or NAME/3")
    name, alias, number = parts[1], parts[2] or CHAMPION, parts[3]
    client = store.open_store()
    if number:
        found = _ask(lambda: client.get_model_version(name, number))
    else:
        found = _aliased(client, name, alias)
    if found is None:
        raise ConfigError(f"{wanted}: no such model; {_there_are(client, name)}; {TRAIN}")
    return found


def champion(name: str) -> ModelVersion | None:
    """Return what is published, or None."""
    return _aliased(store.open_store(), name, CHAMPION)


def previous(name: str) -> ModelVersion | None:
    """Return what `rollback` would publish again, or None."""
    return _aliased(store.open_store(), name, PREVIOUS)


def fetch(version: ModelVersion) -> Path:
    """Return the folder of a version's bundle on this machine, its digest checked.

    A local store is read in place. From a server the bundle is brought once, into `bundles/` in the
    store's folder, and found there the next time.

    Raises:
        BundleRefused: If it is gone, or is not what was registered.
    """
    return _fetch(str(version), version.run_id, version.digest)


def fetch_of_run(run_id: str) -> Path:
    """Return the folder of the bundle that a run made, registered or not; else as `fetch`.

    Raises:
        ConfigError: If there is no such run, or it has no bundle.
        BundleRefused: If it is gone, or is not what the run made.
    """
    return _fetch(f"run {run_id}", run_id, _bundle_tags(run_id)[store.BUNDLE_TAG])


def holds(run_id: str) -> bool:
    """Tell whether a run's bundle is there, as it was logged."""
    digest = store.get_run(run_id).data.tags.get(store.BUNDLE_TAG, "")
    try:
        file = _manifest(run_id, digest)
    except (OSError, MlflowException):
        return False
    return file is not None and manifest.digest(file.parent) == digest


def promote(version: ModelVersion, *, expected: ModelVersion | None) -> None:
    """Make a version the champion, and the champion so far the previous one.

    Asking and moving are one step for all processes of this machine that use the same store.
    MLflow's server offers no such step: of two machines that publish the same model in the same
    moment both may succeed, and the later one stays.

    Args:
        version: What shall be published; nothing happens if it is.
        expected: The champion that the gate compared it with; None: there was none.

    Raises:
        NotPublished: If meanwhile another one is champion.
    """
    client = store.open_store()
    with store.lock():
        current = _aliased(client, version.name, CHAMPION)
        if current == version:
            return
        if current != expected:
            raise NotPublished(
                f"{version}: compared with the champion {expected or '(none)'}, but now that is"
                f" {current or '(none)'}; compare with that one"
            )
        if current is not None:
            client.set_registered_model_alias(version.name, PREVIOUS, str(current.version))
        client.set_registered_model_alias(version.name, CHAMPION, str(version.version))


def rollback(name: str) -> ModelVersion:
    """Make the previous champion the champion again, and return it; then there is no previous one.

    Raises:
        ConfigError: If there is none to go back to.
    """
    client = store.open_store()
    with store.lock():
        current, back = (_aliased(client, name, alias) for alias in (CHAMPION, PREVIOUS))
        if back is None or back == current:
            raise ConfigError(
                f"{name}: there is no previous champion to go back to; {_there_are(client, name)}"
            )
        client.set_registered_model_alias(name, CHAMPION, str(back.version))
        client.delete_registered_model_alias(name, PREVIOUS)
    return back


def _bundle_tags(run_id: str) -> dict[str, str]:
    tags: dict[str, str] = store.get_run(run_id).data.tags
    if store.BUNDLE_TAG not in tags:
        raise ConfigError(f"run {run_id} ended without a forecaster; {TRAIN}")
    return tags


def _fetch(named: str, run_id: str, digest: str) -> Path:
    file = _manifest(run_id, digest)
    if file is None or manifest.digest(file.parent) != digest:
        found = "no bundle" if file is None else "another bundle"
        raise BundleRefused(
            f"{named}: needed the bundle {digest[:12]}, found {found} in"
            f" {without_secrets(store.address())}; bring the store's files back, or train"
            " again"
        )
    return file.parent


def _manifest(run_id: str, digest: str) -> Path | None:
    """Return the manifest of a run's bundle on this machine; None if there is none any more."""
    client = store.open_store()
    model = client.get_run(run_id).data.tags[store.MODEL_TAG]
    location = client.get_logged_model(model).artifact_location
    folder = _local(location)
    if folder is None:
        folder = store.home() / "bundles" / digest
        if not folder.exists():
            with files.new_folder(folder) as beside:
                download_artifacts(
                    artifact_uri=f"{location}/artifacts",
                    dst_path=str(beside),
                    tracking_uri=store.address(),
                )
    return next((folder / "artifacts").glob(f"*/{manifest.MANIFEST}"), None)


def _aliased(client: MlflowClient, name: str, alias: str) -> ModelVersion | None:
    return _ask(lambda: client.get_model_version_by_alias(name, alias))


def _ask(question: Callable[[], MlflowVersion]) -> ModelVersion | None:
    try:
        return _version(question())
    except MlflowException as error:
        if error.error_code not in ABSENT:
            raise
        return None


def _version(found: MlflowVersion) -> ModelVersion:
    if DIGEST not in found.tags:
        raise ConfigError(
            f"{found.name}/{found.version}: was not registered by foreseq; {TRAIN}, or name another"
        )
    return ModelVersion(found.name, int(found.version), str(found.run_id), found.tags[DIGEST])


def _source(client: MlflowClient, model: str) -> str:
    """Return where a version's files are.

    A server wants the model's id; without one MLflow would look it up in whatever store is current
    in the process.
    """
    if store.is_served():
        return f"models:/{model}"
    return client.get_logged_model(model).artifact_location


def _local(location: str) -> Path | None:
    """Return the folder that a location on this machine means, or None for one elsewhere."""
    parts = urlparse(location)
    if parts.scheme == "file":
        return Path(url2pathname(parts.path))
    return None if parts.scheme else Path(location)


def _create_model(client: MlflowClient, name: str) -> None:
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _there_are(client: MlflowClient, name: str) -> str:
    """Return what can be named instead: of this model its versions, else the other models."""
    versions = sorted(int(v.version) for v in client.search_model_versions(f"name = '{name}'"))
    if versions:
        aliases = client.get_registered_model(name).aliases
        told = [f"{name}/{version}" for version in versions[-MOST_TOLD:]]
        told += [f"{name}@{alias} ({name}/{aliases[alias]})" for alias in sorted(aliases)]
        return f"there are {', '.join(told)}"
    models = sorted(model.name for model in client.search_registered_models(max_results=MOST_TOLD))
    return f"there are the models {', '.join(models)}" if models else "there is no model yet"
