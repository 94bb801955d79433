"""Nats per character on the test part, beside n-grams, after a training of the config's length.

    python tests/benchmarks/text_quality.py configs/text/shakespeare.yaml --set training.epochs=8

Test parts are the last tenth. The n-grams count everything before; the network, which keeps a
validation part, learns from less.
"""

import argparse
import time
from pathlib import Path

from measuring import say

from foreseq.language import corpus, experiment, ngram, score
from foreseq.language.config import SamplingConfig, load_text_experiment
from foreseq.language.sampling import complete
from foreseq.language.training import Listener

ORDERS = (1, 3, 5, 7)


def main() -> None:
    """Print a table for each config."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("configs", nargs="+", type=Path)
    options.add_argument("--set", action="append", default=[], dest="overrides")
    options.add_argument("--checkpoint", type=Path, help="File to go on from after a stop.")
    args = options.parse_args()

    for path in args.configs:
        plan = load_text_experiment(path, args.overrides)
        text = corpus.read(plan.corpus, corpus.locate(plan.corpus, Path("data") / "raw"))
        start = time.perf_counter()

        def report(point, _model, start=start):
            minutes = (time.perf_counter() - start) / 60
            say(
                f"  epoch {point.step:>3}  {minutes:6.1f} min  training {point.loss:.4f}"
                f"  validation {point.validation:.4f}"
            )

        say(f"{path.stem}: {text.passage.length} characters, {text.vocabulary.size} symbols")
        outcome = experiment.train(
            plan, text, checkpoint=args.checkpoint, listener=Listener(report)
        )
        divided = experiment.parts(text, plan.corpus)
        test = score.score(outcome.fitted.model, divided.test)
        before = experiment.before_test(text, divided)
        for order in ORDERS:
            nats = ngram.nats(ngram.fit(before, text.vocabulary.size, order), divided.test)
            say(f"  {order}-gram                 {nats:.4f} nats per character")
        best = outcome.fitted.best_epoch
        say(f"  network, epoch {best:>3}     {test.nats_per_character:.4f} nats per character")
        sampling = SamplingConfig(temperature=0.7, length=500)
        (sample,) = complete(outcome.fitted.model, text.vocabulary, ["The "], sampling)
        say(f"\nThe {sample}\n")


if __name__ == "__main__":
    main()
