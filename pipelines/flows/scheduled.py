"""The flow behind every schedule: one interval, its result once, however often it is asked for."""

from datetime import UTC, datetime
from pathlib import Path

from prefect import flow
from prefect.runtime import flow_run

from foreseq.config import Config, DatasetConfig, ExperimentConfig
from foreseq.durable import files, resume
from foreseq.errors import ConfigError, ForeseqError
from foreseq.evaluation import gate
from foreseq.forecasting import bundle
from foreseq.pipelines.flows.forecast import history_of, write
from foreseq.pipelines.flows.monitor import monitor
from foreseq.pipelines.flows.run import run
from foreseq.pipelines.runtime import console, environment, schedules
from foreseq.pipelines.runtime.schedules import ScheduleConfig
from foreseq.series import panel
from foreseq.tracking import registry

STAMP = "%Y-%m-%dT%H-%M-%S"
"""An interval in the names of files."""


class Interval(Config):
    """What an interval brought."""

    schedule: str
    logical: datetime
    """When it was due."""
    forecast: Path | None
    """Where its forecasts are; None: it judged those of others."""
    model_version: str
    """What made them, or was judged."""
    champion: bool | None
    """Whether what it trained was published; None: it trained nothing."""
    decision: str | None = None
    """What the evidence asked for; None: it did not look."""
    ended: datetime
    """When it really took place."""


@flow
def scheduled(schedule: Path, logical: datetime | None = None) -> Interval:
    """Carry out a schedule for one interval, unless that has been done.

    Earlier ones that a killed process left undone are carried out first.

    Args:
        schedule: YAML that tells it.
        logical: When it was due; None: when Prefect meant this run to start, which for a late
            run is earlier than now.
    """
    told = schedules.load(schedule)
    due = told.due((logical or flow_run.scheduled_start_time).astimezone(UTC))
    for earlier in _broken_off(told.name, due):
        console.say(f"interval {told.name} {earlier:{STAMP}}: was broken off")
        try:
            _once(told, earlier)
        except ForeseqError as error:  # of an interval whose time is over; this one's has come
            console.say(f"interval {told.name} {earlier:{STAMP}}: {error}")
    return _once(told, due)


def _once(told: ScheduleConfig, due: datetime) -> Interval:
    """Return what an interval brought, carried out now unless that has been done."""
    stamp = due.strftime(STAMP)
    record = environment.data() / "schedules" / told.name / f"{stamp}.json"
    with resume.claim(environment.data() / "unfinished", f"{told.name}-{stamp}") as begun:
        done = _read(record)
        if done is not None:
            console.say(f"interval {told.name} {stamp}: was done before")
            return done
        begun.mkdir(exist_ok=True)  # what is left of it if this process is killed
        try:
            done = _carry_out(told, due, environment.data() / "forecasts" / told.name / stamp)
        except Exception:
            begun.rmdir()  # it failed, and would again
            raise
        with files.new_file(record) as beside:
            beside.write_text(done.model_dump_json(indent=2) + "\n", encoding="utf-8")
    console.say(f"interval {told.name} {stamp}: {done.forecast or done.decision}")
    return done


def _broken_off(name: str, due: datetime) -> list[datetime]:
    """Return the earlier intervals of a schedule that no living process has begun, oldest first."""
    unfinished, found = environment.data() / "unfinished", []
    for begun in unfinished.glob(f"{name}-*/"):
        try:
            earlier = datetime.strptime(begun.name.removeprefix(f"{name}-"), STAMP)
        except ValueError:  # of a schedule whose name begins alike
            continue
        earlier = earlier.replace(tzinfo=UTC)
        if earlier < due and not resume.is_claimed(unfinished, begun.name):
            found.append(earlier)
    return sorted(found)


def _carry_out(told: ScheduleConfig, due: datetime, output: Path) -> Interval:
    experiment = _until(told.experiment(), due - told.lag)
    forecast: Path | None = output.absolute()
    champion = decision = None
    if told.flow == "run":
        ran = run(experiment, output)
        version, champion = ran.manifest.model_version, ran.published.decision.published
    elif told.flow == "forecast":
        version = _forecast(experiment, output)
    else:
        decided = monitor(experiment.model, experiment.dataset, retrain=told.retrain).decided
        version, decision, forecast = decided.version, decided.action, None
        champion = decided.published if decided.acted else None
    return Interval(
        schedule=told.name,
        logical=due,
        forecast=forecast,
        model_version=version,
        champion=champion,
        decision=decision,
        ended=datetime.now(UTC),
    )


def _forecast(experiment: ExperimentConfig, output: Path) -> str:
    """Forecast with the newest published version that does not know what came after."""
    folder = history_of(registry.resolve(experiment.model), experiment.dataset).folder
    series = panel.load(folder)
    for version in (registry.champion(experiment.model), registry.previous(experiment.model)):
        if version and not gate.is_ahead(bundle.load(registry.fetch(version)), series):
            return write(version, folder, output).model_version
    raise ConfigError(
        f"{experiment.model}: champion and previous have learned from what came after"
        f" {experiment.dataset.as_of}; backfill a schedule of flow run, which trains as of then"
    )


def _until(experiment: ExperimentConfig, when: datetime) -> ExperimentConfig:
    """Return the experiment as it could have been carried out then."""
    dataset = DatasetConfig.model_validate({**experiment.dataset.model_dump(), "as_of": when})
    return experiment.model_copy(update={"dataset": dataset})


def _read(record: Path) -> Interval | None:
    try:
        return Interval.model_validate_json(record.read_bytes())
    except (OSError, ValueError):
        return None
