"""What a person reads fits on a narrow terminal, and nothing is lost for the log."""

import io
import re

import numpy as np
import pytest
from findings import make_findings
from rich.console import Console

from foreseq.pipelines.runtime import console, plot, progress, summary
from foreseq.report import leaderboard
from foreseq.training.fitting import Progress
from foreseq.training.loop import CurvePoint

WIDTH = 80


@pytest.fixture
def terminal(monkeypatch):
    """Write to a terminal of 80 columns; return what it has been sent."""
    sent = io.StringIO()
    fake = Console(file=sent, width=WIDTH, force_terminal=True, highlight=False, soft_wrap=True)
    monkeypatch.setattr(console._Terminal, "console", fake)
    return sent


def plain(text):
    return re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", text)


def test_a_terminal_breaks_long_lines_between_words_and_indents_the_rest(terminal):
    console.say(f"noted    {'many words ' * 20}")
    first, *rest = plain(terminal.getvalue()).splitlines()
    assert first.startswith("noted    many")
    assert rest
    assert all(line.startswith(" " * console.HEAD) and len(line) <= WIDTH for line in rest)


def test_details_go_to_the_log_unless_they_are_asked_for(terminal, monkeypatch, capsys):
    with progress.shown():
        console.detail("chosen   network.context=30: a season")
    assert capsys.readouterr().err == "chosen   network.context=30: a season\n"
    assert "chosen" not in terminal.getvalue()
    monkeypatch.setattr(console._Terminal, "verbose", True)
    console.detail("chosen   network.context=30: a season")
    assert "network.context=30" in plain(terminal.getvalue())


def test_the_long_address_of_a_run_is_a_detail(terminal, capsys):
    console.say_run("4b1f6c60", f"http://127.0.0.1:5000/{'a' * 90}")
    assert plain(terminal.getvalue()) == "details  run 4b1f6c60 in `foreseq ui`\n"
    assert "http://" in capsys.readouterr().err


def test_without_a_terminal_progress_is_a_few_lines_and_ends_are_details(monkeypatch, capsys):
    clock = iter(range(0, 1000, 7))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(clock)))
    with progress.shown() as show:
        report = progress.training(show)
        for step in range(1, 41):
            report("fit", Progress(0, 1, 40, CurvePoint(step, 1.0, 0.5), ended=step == 40))
    *lines, last = capsys.readouterr().err.splitlines()
    assert 5 < len(lines) < 20
    assert all(re.search(r"step \d+ of 40, validation 0.5000, about .* left", one) for one in lines)
    assert last == "fit      step 40, loss 1.0000, validation 0.5000"


def test_a_terminal_shows_progress_on_one_line(terminal):
    with progress.shown() as show:
        show("fit", "step 30 of 40" + " and more" * 20, 0.75, 20.0)
    assert "step 30 of 40" in terminal.getvalue()
    assert max(map(len, plain(terminal.getvalue()).splitlines())) <= WIDTH


def test_the_leaderboard_fits_and_names_the_best_first():
    found = make_findings()
    board = leaderboard.rank(found.backtest, found.comparison, 6, 12.3)
    head, *rows, intervals = summary.leaderboard(found.backtest, board)
    assert max(map(len, [head, *rows, intervals])) <= WIDTH
    assert rows[0].split() == ["foreseq", "0.2", rows[0].split()[2], "12.3"]
    names = {row[9:30].strip() for row in rows}
    assert names == {"foreseq", "seasonal naive", "ETS", "Theta", "ARIMA"}
    errors = [float(row[50:60]) for row in rows]
    assert errors == sorted(errors)


def test_forecasts_that_could_not_be_tested_say_so():
    (line,) = summary.leaderboard(None, None)
    assert line.startswith("warning  not tested")


def test_a_spark_line_of_many_values_is_as_wide_as_a_line_may_be():
    assert len(plot.spark(np.arange(500.0))) == plot.WIDEST
    assert plot.spark(np.full(3, 5.0)) == "▁▁▁"
