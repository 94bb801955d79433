"""The model registry: versions of a model, and the aliases `champion` and `previous`.

Why a champion is replaced only if it is the one the gate saw: two trainings may end at the same
time, and then both have beaten the old champion, but not each other.

No import of TensorFlow: moving an alias must not wait for it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities.model_registry import ModelVersion as MlflowVersion
from mlflow.exceptions import MlflowException

from foreseq.config.dataset import without_secrets
from foreseq.durable import files, manifest
from foreseq.errors import BundleRefused, ConfigError, NotPublished
from foreseq.tracking import store, view

CHAMPION, PREVIOUS = "champion", "previous"
DIGEST = "digest"
"""Tag of a version: the digest of its bundle."""
SINCE = "champion.since"
"""Tag of a version: when it became champion, in UTC."""
ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""MLflow's error codes for a model or version that does not exist, and for such an alias."""
NO_CHAMPION = "No version has been published: the alias `champion` names the one that is."
LOAD = """```python
import mlflow

model = mlflow.pyfunc.load_model("models:/{version}")
```"""
"""How plain MLflow loads a version."""
MAX_LISTED = 10
"""Versions or models that a message lists at most."""


@dataclass(frozen=True)
class ModelVersion:
    """One registered version of a model.

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
        """Return the name that `resolve` takes; it never means another version."""
        return f"{self.name}/{self.version}"


def register(run_id: str, name: str) -> ModelVersion:
    """Register the bundle of a run; registering it again returns the same version.

    Raises:
        ConfigError: If there is no such run, or it has no bundle.
    """
    client = store.open_store()
    tags = _bundle_tags(run_id)
    digest, model_id = tags[store.BUNDLE_TAG], tags[store.MODEL_TAG]
    with store.lock():
        for known in client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'"):
            if known.tags.get(DIGEST) == digest:
                return _version(known)
        _create_model(client, name)
        version = _version(
            client.create_model_version(
                name,
                source=_source(client, model_id),
                run_id=run_id,
                tags={DIGEST: digest},
                model_id=model_id,
            )
        )
    describe(version)
    return version


def resolve(wanted: str, *, trained_by: str = "foreseq run") -> ModelVersion:
    """Return the version that is meant by `NAME@champion`, `NAME/3`, or `NAME` for its champion.

    Args:
        wanted: The name.
        trained_by: The command to advise if there is no such model.

    Raises:
        ConfigError: If nothing is registered under that name, number or alias.
    """
    parts = re.fullmatch(r"([\w.-]+)(?:@([\w-]+)|/(\d+))?", wanted)
    if parts is None:
        raise ConfigError(f"{wanted}: write a model as NAME, NAME@champion or NAME/3")
    name, alias, number = parts[1], parts[2] or CHAMPION, parts[3]
    client = store.open_store()
    if number:
        version = _known(lambda: client.get_model_version(name, number))
    else:
        version = _aliased(client, name, alias)
    if version is None:
        raise ConfigError(f"{wanted}: {_missing(client, name, number or alias, trained_by)}")
    return version


def champion(name: str) -> ModelVersion | None:
    """Return the champion of a model, or None."""
    return _aliased(store.open_store(), name, CHAMPION)


def describe(version: ModelVersion) -> None:
    """Describe a version as its run is described, with the picture, and how to load it."""
    client, run = store.open_store(), store.get_run(version.run_id)
    parts = [run.data.tags.get(store.NOTE, "").strip()]
    if store.REPORT in {file.path for file in client.list_artifacts(version.run_id)}:
        picture = f"get-artifact?path={view.PICTURE}&run_uuid={version.run_id}"
        report = "#" + store.report_link(version.run_id).partition("#")[2]
        parts += [f"![The forecast of one series]({picture})", f"[Report]({report})"]
    parts.append(LOAD.format(version=version))
    text = "\n\n".join(part for part in parts if part)
    client.update_model_version(version.name, str(version.version), text)


def since(version: ModelVersion) -> str:
    """Return when a version last became champion, in UTC to the minute; empty: not known."""
    known = store.open_store().get_model_version(version.name, str(version.version))
    return str(known.tags.get(SINCE, ""))


def names() -> list[str]:
    """Return the names of all models."""
    client = store.open_store()
    page = client.search_registered_models()
    models = [*page]
    while page.token:
        page = client.search_registered_models(page_token=page.token)
        models += page
    return sorted(model.name for model in models)


def previous(name: str) -> ModelVersion | None:
    """Return the version that `rollback` would make the champion, or None."""
    return _aliased(store.open_store(), name, PREVIOUS)


def fetch(version: ModelVersion) -> Path:
    """Return the folder of a version's bundle on this machine, its digest checked.

    A local store is read in place. From a server the bundle is downloaded once, into `bundles/` in
    the store's folder.

    Raises:
        BundleRefused: If it is gone, or differs from the one that was registered.
    """
    return _fetch(str(version), version.run_id, version.digest)


def fetch_of_run(run_id: str) -> Path:
    """Return the folder of a run's bundle as `fetch` does, whether it is registered or not.

    Raises:
        ConfigError: If there is no such run, or it has no bundle.
        BundleRefused: If it is gone, or differs from the one that was logged.
    """
    return _fetch(f"run {run_id}", run_id, _bundle_tags(run_id)[store.BUNDLE_TAG])


def holds(run_id: str) -> bool:
    """Return whether a run's bundle is still in the store, unchanged."""
    digest = store.get_run(run_id).data.tags.get(store.BUNDLE_TAG, "")
    try:
        file = _manifest(run_id, digest)
    except (OSError, MlflowException):
        return False
    return file is not None and manifest.digest(file.parent) == digest


def verdict(version: ModelVersion) -> str:
    """Return the gate's verdict on a version, `published` or `rejected`; empty: not judged."""
    return str(store.get_run(version.run_id).data.tags.get(store.GATE_TAG, ""))


def promote(version: ModelVersion, *, expected: ModelVersion | None) -> None:
    """Make a version the champion, and the champion before it the previous one.

    This is atomic for all processes of this machine that use the same store. MLflow's server has no
    compare-and-set: if two machines publish the same model at once, both may succeed, and the later
    one stays.

    Args:
        version: To be published; nothing happens if it is the champion already.
        expected: The champion that the gate compared it with; None: there was none.

    Raises:
        NotPublished: If another version has become champion in the meantime.
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
        _crown(client, version)


def rollback(name: str) -> ModelVersion:
    """Make the previous champion the champion again and return it; there is no previous one then.

    Raises:
        ConfigError: If there is none to go back to.
    """
    client = store.open_store()
    with store.lock():
        current, back = (_aliased(client, name, alias) for alias in (CHAMPION, PREVIOUS))
        if back is None or back == current:
            raise ConfigError(
                f"{name}: no previous champion to go back to; {_there_are(client, name)}"
            )
        _crown(client, back)
        client.delete_registered_model_alias(name, PREVIOUS)
    return back


def _crown(client: MlflowClient, version: ModelVersion) -> None:
    name, number = version.name, str(version.version)
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M}"
    client.set_model_version_tag(name, number, SINCE, now)
    client.set_registered_model_alias(name, CHAMPION, number)
    described = client.get_model_version(name, number).description or ""
    text = f"Champion since {now} (UTC): **version {number}**\n\n{described}"
    client.update_registered_model(name, text)


def _bundle_tags(run_id: str) -> dict[str, str]:
    tags: dict[str, str] = store.get_run(run_id).data.tags
    if store.BUNDLE_TAG not in tags:
        raise ConfigError(f"run {run_id} ended without a model; train again")
    return tags


def _fetch(named: str, run_id: str, digest: str) -> Path:
    file = _manifest(run_id, digest)
    if file is None or manifest.digest(file.parent) != digest:
        present = "no bundle" if file is None else "another bundle"
        raise BundleRefused(
            f"{named}: expected the bundle {digest[:12]}, found {present} in"
            f" {without_secrets(store.address())}; restore the store's files, or train again"
        )
    return file.parent


def _manifest(run_id: str, digest: str) -> Path | None:
    """Return the manifest of a run's bundle on this machine; None if it is gone."""
    client = store.open_store()
    model = client.get_run(run_id).data.tags[store.MODEL_TAG]
    location = client.get_logged_model(model).artifact_location
    folder = store.local(location)
    if folder is None:
        folder = store.home() / "bundles" / digest
        if not folder.exists():
            with files.new_folder(folder) as temporary:
                download_artifacts(
                    artifact_uri=f"{location}/artifacts",
                    dst_path=str(temporary),
                    tracking_uri=store.address(),
                )
    return next((folder / "artifacts").glob(f"*/{manifest.MANIFEST}"), None)


def _aliased(client: MlflowClient, name: str, alias: str) -> ModelVersion | None:
    return _known(lambda: client.get_model_version_by_alias(name, alias))


def _known(get: Callable[[], MlflowVersion]) -> ModelVersion | None:
    try:
        return _version(get())
    except MlflowException as error:
        if error.error_code not in ABSENT:
            raise
        return None


def _version(known: MlflowVersion) -> ModelVersion:
    if DIGEST not in known.tags:
        raise ConfigError(
            f"{known.name}/{known.version}: was not registered by foreseq; name another model"
        )
    return ModelVersion(known.name, int(known.version), str(known.run_id), known.tags[DIGEST])


def _source(client: MlflowClient, model_id: str) -> str:
    """Return where a version's files are.

    A server needs the model's id. Without a server MLflow would search for the id in whatever
    store is current in the process.
    """
    if store.is_served():
        return f"models:/{model_id}"
    return client.get_logged_model(model_id).artifact_location


def _create_model(client: MlflowClient, name: str) -> None:
    try:
        client.create_registered_model(name, description=NO_CHAMPION)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _missing(client: MlflowClient, name: str, wanted: str, trained_by: str) -> str:
    """Return why a version cannot be resolved, and what to do."""
    listed = _there_are(client, name)
    if not _numbers(client, name):
        return f"no such model; {listed}; train one with `{trained_by}`"
    if wanted == CHAMPION:
        return f"no version of {name} is published; {listed}; name one, or train a better one"
    return f"no such version; {listed}"


def _there_are(client: MlflowClient, name: str) -> str:
    """Return the names of a model's versions, or of the other models where it has none."""
    numbers = _numbers(client, name)
    if numbers:
        aliases = client.get_registered_model(name).aliases
        names = [f"{name}/{number}" for number in numbers[-MAX_LISTED:]]
        names += [f"{name}@{alias} ({name}/{aliases[alias]})" for alias in sorted(aliases)]
        return f"there are {', '.join(names)}"
    models = sorted(model.name for model in client.search_registered_models(max_results=MAX_LISTED))
    return f"there are the models {', '.join(models)}" if models else "there is no model yet"


def _numbers(client: MlflowClient, name: str) -> list[int]:
    return sorted(int(one.version) for one in client.search_model_versions(f"name = '{name}'"))
