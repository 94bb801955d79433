"""A page for people: the verdict, the curves behind it, every version beside the others."""

import base64
import io
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from foreseq import figures, files
from foreseq.calendar import shown
from foreseq.figures import BLUE, COLOURS, INK, MUTED
from foreseq.ledger.judgement import Judgement

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;color:#2b323a;max-width:60rem;margin:2rem auto;"
    "padding:0 1rem}img{max-width:100%}table{border-collapse:collapse}"
    "td,th{text-align:right;padding:.2rem .9rem;border-bottom:1px solid #e3e6ea}"
    "td:first-child,th:first-child{text-align:left}.verdict{font-size:1.4rem;font-weight:600}"
)


def versions(sums: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each version: moments, actuals, MASE, skill and coverage of all steps."""
    grouped = sums.groupby("model_version", sort=True)
    total = grouped[["count", "error", "naive", "inside"]].sum().astype(np.float64)
    return pd.DataFrame(
        {
            "version": total.index,
            "moments": grouped["moment"].nunique(),
            "actuals": total["count"].astype(np.int64),
            "mase": total["error"] / total["count"],
            "skill": 1 - total["error"] / total["naive"],
            "coverage": total["inside"] / total["count"],
        }
    ).reset_index(drop=True)


def pictures(judged: Judgement) -> dict[str, Figure]:
    """Draw a judgement: file name to figure."""
    if not len(judged.points):
        return {}
    ahead = judged.ahead.reindex(columns=["step", "skill", "promised_skill"]).sort_values("step")
    skill = {"came true": ahead["skill"], "promised": ahead["promised_skill"]}
    return {
        "control.png": _control(judged),
        "live-horizon.png": _skill({name: line.to_numpy() for name, line in skill.items()}),
        "live-coverage.png": _coverage(judged),
    }


def write(judged: Judgement, table: pd.DataFrame, drawn: Mapping[str, Figure], file: Path) -> Path:
    """Write the page, whole or not at all; it needs no other file."""
    body = [
        f"<h1>{escape(judged.version)}</h1>",
        f'<p class="verdict">{judged.verdict.action}</p>',
        f"<p>{escape(judged.verdict.reason)}.</p>",
        f"<p>Actuals until {escape(judged.until)}. MASE {_number(judged.mase)}, promised"
        f" {_number(judged.promised_mase)}; skill over the seasonal naive {_number(judged.skill)},"
        f" promised {_number(judged.promised_skill)}.</p>",
        f"<p>As to the data, {escape(str(judged.drift))}.</p>",
        *(f'<p><img alt="{name}" src="{_inline(figure)}"></p>' for name, figure in drawn.items()),
        "<h2>Every version</h2>",
        _html(table),
    ]
    title = f"{judged.version}: {judged.verdict.action}"
    with files.new_file(file) as beside:
        beside.write_text(
            f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
            f"<style>{STYLE}</style>\n" + "\n".join(body) + "\n</html>\n",
            encoding="utf-8",
        )
    return file


def _control(judged: Judgement) -> Figure:
    """Draw error over promise by moment, those beyond the limit marked."""
    figure, (axes,) = figures._canvas(["Error over what the backtest promised"], height=3.6)
    times, ratio = _axis(judged.points["moment"]), judged.points["ratio"].to_numpy()
    axes.axhline(1, color=MUTED, linewidth=1)
    axes.plot(times, ratio, color=BLUE, linewidth=2, marker="o", markersize=4)
    beyond = judged.points["score"].to_numpy() > judged.limit
    axes.plot(times[beyond], ratio[beyond], "o", color=COLOURS[1], markersize=9, zorder=5)
    labels = [figures._Label("came true", ratio[-1], BLUE), figures._Label("promised", 1.0, MUTED)]
    if beyond.any():
        labels.append(figures._Label("beyond luck", ratio[beyond][-1], COLOURS[1]))
    figures._tick_times(axes, times, 8)
    figures._label_ends(axes, labels)
    return figure


def _skill(lines: Mapping[str, NDArray[np.float64]]) -> Figure:
    figure, (axes,) = figures._canvas(["Skill over the seasonal naive by steps ahead"], height=3.6)
    labels = []
    for (name, line), colour in zip(lines.items(), (BLUE, MUTED), strict=True):
        steps = np.arange(1, len(line) + 1)
        axes.plot(steps, line, color=colour, linewidth=2, marker="o", markersize=3.5)
        labels.append(figures._Label(name, figures._last_known(line), colour))
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set_xlabel("steps ahead")
    figures._label_ends(axes, labels)
    return figure


def _coverage(judged: Judgement) -> Figure:
    figure, (axes,) = figures._canvas(["Share of actuals inside the widest interval"], height=3.6)
    times, share = _axis(judged.points["moment"]), judged.points["coverage"].to_numpy()
    axes.plot(times, share, color=BLUE, linewidth=2, marker="o", markersize=4)
    labels = [figures._Label("came true", figures._last_known(share), BLUE)]
    if judged.coverage is not None:
        axes.axhline(judged.coverage.level, color=MUTED, linewidth=1)
        labels.append(figures._Label("promised", judged.coverage.level, MUTED))
    axes.set_ylim(0, 1.05)
    figures._tick_times(axes, times, 8)
    figures._label_ends(axes, labels)
    return figure


def _axis(moments: "pd.Series[Any]") -> NDArray[Any]:
    made = moments.to_numpy()
    return made if made.dtype.kind == "i" else made.astype("datetime64[ns]")


def _inline(figure: Figure) -> str:
    picture = io.BytesIO()
    figure.savefig(picture, format="png", metadata={"Software": None})
    return f"data:image/png;base64,{base64.b64encode(picture.getvalue()).decode()}"


def _html(table: pd.DataFrame) -> str:
    head = "".join(f"<th>{escape(str(name))}</th>" for name in table.columns)
    rows = [
        "<tr>" + "".join(f"<td>{escape(_number(cell))}</td>" for cell in row) + "</tr>"
        for row in table.itertuples(index=False)
    ]
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def _number(value: object) -> str:
    """Write a cell.

    Example:
        >>> _number(0.81234), _number(float("nan")), _number("shop/1"), _number(1200)
        ('0.812', '-', 'shop/1', '1,200')
    """
    if isinstance(value, (float, np.floating)):
        return f"{value:.3f}" if np.isfinite(value) else "-"
    return f"{value:,}" if isinstance(value, (int, np.integer)) else shown(value)
