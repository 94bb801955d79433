"""Every choice a user can make: one field in one place, with its bounds and its meaning.

In: YAML, mappings and `name=value` overrides. Out: frozen configs. A field left at None in an
`ExperimentConfig` is open; `selection` chooses it from the data and returns a `ResolvedExperiment`,
which has the same fields and none open.
"""

from foreseq.config.dataset import (
    ColumnsConfig,
    CovariatesConfig,
    CsvConfig,
    DatasetConfig,
    EventConfig,
    ResolvedDataset,
    Source,
)
from foreseq.config.experiment import (
    ExperimentConfig,
    GateConfig,
    IntervalsConfig,
    MonitorConfig,
    ResolvedExperiment,
    Retrain,
    StatisticalBaselinesConfig,
    change,
)
from foreseq.config.fields import MEDIAN, Config, Levels, Rate
from foreseq.config.loading import (
    build,
    build_experiment,
    history_dataset,
    history_fields,
    load_experiment,
    read_yaml,
)
from foreseq.config.network import (
    FIXED_SCALES,
    CellsConfig,
    Covariate,
    NetworkConfig,
    OutputDomain,
    ResolvedCells,
    ResolvedNetwork,
    Role,
    whole_patches,
)
from foreseq.config.training import (
    AutoConfig,
    LearningConfig,
    ResolvedSplit,
    ResolvedTraining,
    SplitConfig,
    TrainingConfig,
)

__all__ = [
    "FIXED_SCALES",
    "MEDIAN",
    "AutoConfig",
    "CellsConfig",
    "ColumnsConfig",
    "Config",
    "Covariate",
    "CovariatesConfig",
    "CsvConfig",
    "DatasetConfig",
    "EventConfig",
    "ExperimentConfig",
    "GateConfig",
    "IntervalsConfig",
    "LearningConfig",
    "Levels",
    "MonitorConfig",
    "NetworkConfig",
    "OutputDomain",
    "Rate",
    "ResolvedCells",
    "ResolvedDataset",
    "ResolvedExperiment",
    "ResolvedNetwork",
    "ResolvedSplit",
    "ResolvedTraining",
    "Retrain",
    "Role",
    "Source",
    "SplitConfig",
    "StatisticalBaselinesConfig",
    "TrainingConfig",
    "build",
    "build_experiment",
    "change",
    "history_dataset",
    "history_fields",
    "load_experiment",
    "read_yaml",
    "whole_patches",
]
