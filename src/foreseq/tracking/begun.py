"""A run of any kind of work: begun, and ended however the work ended."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# isort: split -- the store settles what MLflow reads from the environment when it is imported
from foreseq.tracking import store

# isort: split
from mlflow.entities import DatasetInput, Param
from mlflow.utils.git_utils import get_git_commit

from foreseq import __version__
from foreseq.tracking import runs
from foreseq.tracking.facts import PROCESS


@dataclass(frozen=True)
class Beginning:
    """What is known of a run before it begins."""

    model: str
    """The MLflow experiment, named as the model in the registry."""
    name: str
    """For people."""
    tags: dict[str, str]
    """What one searches for, besides who runs it and where."""
    parameters: dict[str, str]
    """What can change the outcome, dotted as in the configuration."""
    dataset: DatasetInput


@contextmanager
def begin(beginning: Beginning) -> Iterator[str]:
    """Yield the id of a run that ends as the block does: FINISHED, FAILED, or KILLED by Ctrl-C.

    Runs that a process of this machine left open when it died are closed first, as KILLED.

    Raises:
        ConfigError: If the store cannot be used.
    """
    client = store.open_store()
    runs.close_the_dead()
    created = client.create_run(
        runs._experiment_id(client, beginning.model),
        tags={**_process_tags(), **beginning.tags},
        run_name=beginning.name,
    )
    run_id = str(created.info.run_id)
    try:
        params = [Param(*field) for field in beginning.parameters.items()]
        client.log_batch(run_id, params=params)
        client.log_inputs(run_id, [beginning.dataset])
        yield run_id
    except Exception as error:
        client.set_tag(run_id, "error", f"{type(error).__name__}: {error}"[:500])
        client.set_terminated(run_id, "FAILED")
        raise
    except BaseException:
        client.set_terminated(run_id, "KILLED")
        raise
    client.set_terminated(run_id, "FINISHED")


def _process_tags() -> dict[str, str]:
    """Return who runs it, and where."""
    commit = get_git_commit(str(Path.cwd()))
    return {
        "host": socket.gethostname(),
        "pid": str(os.getpid()),
        "process": PROCESS,
        "foreseq": __version__,
        "mlflow.source.name": Path(sys.argv[0]).name,
        **({"mlflow.source.git.commit": commit} if commit else {}),
    }
