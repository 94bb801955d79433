"""The commands `foreseq text ...` and `foreseq diagnose ...`.

Heavy imports wait inside the commands, so that `--help` answers at once.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foreseq.errors import ConfigError, NotPublished
from foreseq.pipelines.cli.command import AsJson, Model, Overrides, begin, result

if TYPE_CHECKING:
    from foreseq.language.config import SamplingConfig

text = typer.Typer(
    help="Language models on the same cells: train, generate, score.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
diagnose = typer.Typer(
    help="Diagnose a recurrent stack.", no_args_is_help=True, rich_markup_mode=None
)

DEFAULT_MODEL = "text-python-topics@champion"


@text.command()
def train(
    config: Annotated[
        Path | None, typer.Argument(help="YAML of the experiment.", show_default=False)
    ] = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Train a language model; publish it if it is better.

    Without arguments it reads the help texts of Python itself.
    """
    from foreseq.language.config import load_text_experiment

    experiment = load_text_experiment(config, overrides or [])
    begin(f"text     {experiment.model}", "text")
    from foreseq.pipelines.flows.text import train as flow
    from foreseq.pipelines.runtime import console
    from foreseq.tracking import store

    published = flow(experiment)
    decision = published.decision
    rejected = "" if decision.published or published.serving != published.version else "rejected "
    words = f"foreseq text generate --model {published.serving} --prompt 'The '"
    console.say(f"try      the {rejected}model with `{words}`")
    run_id = published.version.run_id
    console.say_run(run_id, store.ui_link(run_id))
    result(
        as_json,
        run_id=run_id,
        model=experiment.model,
        version=str(published.version),
        published=decision.published,
        reason=decision.reason,
        **decision.scores,
    )
    if not decision.published:
        raise NotPublished(f"{published.version} is rejected, see the line `gate` above")


@text.command()
def generate(
    model: Model = DEFAULT_MODEL,
    prompt: Annotated[str | None, typer.Option(help="Text to continue.")] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="File with one prompt per line, continued as one batch.")
    ] = None,
    temperature: Annotated[float, typer.Option(help="Sampling temperature; 0 is greedy.")] = 0.8,
    top_k: Annotated[int | None, typer.Option(help="Sample from the K most likely only.")] = None,
    top_p: Annotated[float, typer.Option(help="Nucleus sampling threshold.")] = 1.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same text.")] = 1,
    length: Annotated[int, typer.Option(help="Characters to write.")] = 400,
    as_json: AsJson = False,
) -> None:
    """Continue a prompt, or many prompts of a file."""
    from foreseq.config import build
    from foreseq.language.config import SamplingConfig

    choices = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed}
    sampling = build(SamplingConfig, {**choices, "length": length}, origin="options")
    if (prompt is None) == (prompts is None):
        raise ConfigError("give --prompt TEXT or --prompts FILE, one of the two")
    if prompt is not None:
        _generate_one(model, prompt, sampling, as_json=as_json)
    elif prompts is not None:
        _generate_many(model, _lines(prompts), sampling, as_json=as_json)


@text.command()
def score(
    file: Annotated[Path, typer.Argument(help="Text to score.")],
    model: Model = DEFAULT_MODEL,
    as_json: AsJson = False,
) -> None:
    """Compute the perplexity of a text."""
    begin(f"score    {file} with {model}", "text")
    from foreseq.pipelines.flows.text import score_file

    scored = score_file(model, file)
    values = {
        "characters": scored.predicted,
        "nats_per_character": scored.nats_per_character,
        "bits_per_character": scored.bits_per_character,
        "perplexity": scored.perplexity,
        "total_nats": scored.total_nats,
    }
    if as_json:
        result(as_json, model=model, **values)
        return
    for name, value in values.items():
        sys.stdout.write(f"{name.replace('_', ' '):<20} {value:.6g}\n")


@diagnose.command()
def gradients(
    config: Annotated[
        Path | None, typer.Argument(help="YAML of a forecaster or text.", show_default=False)
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Set a field, such as probe.length=100.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure how far back simple, LSTM and GRU cells can learn from."""
    begin(f"diagnose {config or 'the default cells'}", "diagnose")
    from foreseq.pipelines.flows.diagnose import diagnose_gradients, load_diagnosis
    from foreseq.pipelines.runtime import console

    diagnosed = diagnose_gradients(load_diagnosis(config, overrides or []))
    for line in diagnosed.summary:
        console.say(line)
    for warning in diagnosed.warnings:
        console.say(f"warning  {warning}")
    result(as_json, run_id=diagnosed.run_id, warnings=diagnosed.warnings)


def _generate_one(model: str, prompt: str, sampling: "SamplingConfig", *, as_json: bool) -> None:
    begin(f"generate with {model}")
    from foreseq.pipelines.flows.text import stream

    characters = stream(model, prompt, sampling)
    if as_json:
        result(as_json, prompt=prompt, text="".join(characters))
        return
    sys.stdout.write(prompt)
    for character in characters:
        sys.stdout.write(character)
        sys.stdout.flush()
    sys.stdout.write("\n")


def _generate_many(
    model: str, prompts: list[str], sampling: "SamplingConfig", *, as_json: bool
) -> None:
    begin(f"generate with {model}", "text")
    from foreseq.pipelines.flows.text import generate as flow

    texts = flow(model, prompts, sampling)
    for prompt, written in zip(prompts, texts, strict=True):
        if as_json:
            result(as_json, prompt=prompt, text=written)
        else:
            sys.stdout.write(f"{prompt}{written}\n\n")


def _lines(file: Path) -> list[str]:
    """Return the prompts of a file, one per line; empty lines are left out."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: prompts cannot be read ({error})") from None
    return [line for line in lines if line]
