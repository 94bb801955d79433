"""The flow of every schedule: each interval is run once, however often it is requested."""

from datetime import UTC, datetime
from pathlib import Path

from prefect.runtime import flow_run

from foreseq.config import Config, DatasetConfig, ExperimentConfig
from foreseq.durable import files, resume
from foreseq.errors import ConfigError, ForeseqError
from foreseq.evaluation import gate
from foreseq.forecasting import bundle, export
from foreseq.forecasting.output import Output
from foreseq.pipelines.flows.forecast import deliver, history_of, write
from foreseq.pipelines.flows.monitor import monitor
from foreseq.pipelines.flows.run import run
from foreseq.pipelines.runtime import artifacts, console, environment, failures, schedules
from foreseq.pipelines.runtime.flows import flow, labels_of
from foreseq.pipelines.runtime.schedules import ScheduleConfig
from foreseq.series import panel
from foreseq.tracking import overview, registry

STAMP = "%Y-%m-%dT%H-%M-%S"
"""Format of a logical date in file names."""


class Interval(Config):
    """The results of a schedule for one logical date."""

    schedule: str
    logical: datetime
    """Logical date, in UTC."""
    forecast: Path | None
    """Folder of its forecasts; None for `flow: monitor`."""
    model_version: str
    """The version that forecast, or was checked."""
    champion: bool | None
    """Whether the version it trained was published; None: it trained none."""
    decision: str | None = None
    """Action of the check; None for other flows."""
    ended: datetime
    """Wall-clock time."""


@flow()
def scheduled(schedule: Path, logical: datetime | None = None) -> Interval:
    """Run a schedule for one interval, unless it was run before.

    Earlier ones that a killed process left unfinished, that had to wait, or that failed for want of
    a server, a lock or space on the disk, are run first.

    Args:
        schedule: YAML file.
        logical: A time in the interval; None: Prefect's scheduled start time of this run.
    """
    config = schedules.load(schedule)
    due = config.due((logical or flow_run.scheduled_start_time).astimezone(UTC))
    for earlier in _unfinished(config.name, due):
        console.say(f"interval {config.name} {earlier:{STAMP}}: resumed, it was left unfinished")
        try:
            _once(config, earlier)
        except Exception as error:  # an expected failure must not stop this interval
            known = error if isinstance(error, ForeseqError) else failures.expected(error)
            if known is None:
                raise
            console.say(f"interval {config.name} {earlier:{STAMP}}: {known}")
    return _once(config, due)


def _once(config: ScheduleConfig, due: datetime) -> Interval:
    """Return the results of an interval, run now unless it was run before."""
    stamp = due.strftime(STAMP)
    record = environment.data() / "schedules" / config.name / f"{stamp}.json"
    with resume.claim(environment.data() / "unfinished", f"{config.name}-{stamp}") as unfinished:
        done = _read(record)
        if done is not None:
            console.say(f"interval {config.name} {stamp}: done before")
            return done
        unfinished.mkdir(exist_ok=True)  # stays if this process is killed
        try:
            done = _run(config, due, environment.data() / "forecasts" / config.name / stamp)
        except Exception as error:
            if not failures.may_pass(error):  # else the next interval runs this one first
                unfinished.rmdir()
            raise
        with files.new_file(record) as temporary:
            temporary.write_text(done.model_dump_json(indent=2) + "\n", encoding="utf-8")
        overview.write(environment.data())
    for name, reason in overview.alarms(environment.data(), labels_of(config)):
        artifacts.alarm(name, reason)
    console.say(f"interval {config.name} {stamp}: {done.forecast or done.decision}")
    return done


def _unfinished(name: str, due: datetime) -> list[datetime]:
    """Return earlier intervals of a schedule that were not finished, oldest first."""
    folder, earlier_ones = environment.data() / "unfinished", []
    for marker in folder.glob(f"{name}-*/"):
        try:
            earlier = datetime.strptime(marker.name.removeprefix(f"{name}-"), STAMP)
        except ValueError:  # of a schedule whose name starts with this one
            continue
        earlier = earlier.replace(tzinfo=UTC)
        if earlier < due and not resume.is_claimed(folder, marker.name):
            earlier_ones.append(earlier)
    return sorted(earlier_ones)


def _run(config: ScheduleConfig, due: datetime, folder: Path) -> Interval:
    experiment = _as_of(config.experiment(), due - config.lag)
    forecast: Path | None = folder.absolute()
    output = config.destination().model_copy(update={"folder": folder})
    export.check(output)
    champion = decision = None
    if config.flow == "run":
        ran = run(experiment, output)
        version, champion = ran.manifest.model_version, ran.published.decision.published
    elif config.flow == "forecast":
        version = _forecast(experiment, folder, output)
    else:
        decided = monitor(
            experiment.model, experiment.dataset.model_dump(), retrain=config.retrain
        ).decided
        version, decision, forecast = decided.version, decided.action, None
        champion = decided.published if decided.acted else None
    return Interval(
        schedule=config.name,
        logical=due,
        forecast=forecast,
        model_version=version,
        champion=champion,
        decision=decision,
        ended=datetime.now(UTC),
    )


def _forecast(experiment: ExperimentConfig, folder: Path, output: Output) -> str:
    """Forecast with the newest published version that was not trained on later data."""
    known = history_of(registry.resolve(experiment.model), experiment.dataset.model_dump()).folder
    history = panel.load(known)
    for version in (registry.champion(experiment.model), registry.previous(experiment.model)):
        if version and not gate.is_ahead(bundle.load(registry.fetch(version)), history):
            manifest = write(version, known, folder, output)
            deliver(folder, manifest, output)
            return manifest.model_version
    raise ConfigError(
        f"{experiment.model}: champion and previous were trained on data after"
        f" {experiment.dataset.as_of}; backfill a schedule with flow: run, which trains as of then"
    )


def _as_of(experiment: ExperimentConfig, when: datetime) -> ExperimentConfig:
    """Return the experiment on the data that were known at a time."""
    dataset = DatasetConfig.model_validate({**experiment.dataset.model_dump(), "as_of": when})
    return experiment.model_copy(update={"dataset": dataset})


def _read(record: Path) -> Interval | None:
    try:
        return Interval.model_validate_json(record.read_bytes())
    except (OSError, ValueError):
        return None
