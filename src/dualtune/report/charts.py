"""The charts, as Plotly figures without colours: the page gives each trace the colour of its role.

A trace's ``meta`` names its role (``solve``, ``validation``, ``base``, ...), and the page's
script takes that role's colour from the style sheet, so one figure serves light and dark.
"""

from __future__ import annotations

import base64
import gzip
import json
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dualtune.records import TASK_NAMES
from dualtune.report import wording
from dualtune.report.samples import Lengths

if TYPE_CHECKING:
    import plotly.graph_objects as go

Json = Mapping[str, Any]

SMOOTH_FROM = 40
"""From so many logging steps on, a running mean is drawn over the single steps."""

BINS = 24


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart of the page.

    Attributes:
        id: The id of its element.
        title: What it shows, in words.
        description: The same with its figures, for those who cannot see it.
        note: A line under the title.
        height: Height in CSS pixels.
        figure: Plotly's data and layout.
    """

    id: str
    title: str
    description: str
    note: str
    height: int
    figure: dict[str, Any]


def plotly_bundle() -> tuple[str, str]:
    """Return plotly.js for embedding: gzipped and in base64 (2 MB in place of 4.8), and its name.

    The Python package ships one browser bundle, the full one. The page unpacks it after its first
    paint, so that a reader is never kept waiting for the charts.
    """
    from plotly.offline import get_plotlyjs, get_plotlyjs_version

    packed = gzip.compress(get_plotlyjs().encode("utf-8"), 9, mtime=0)
    return base64.b64encode(packed).decode("ascii"), f"plotly.js {get_plotlyjs_version()}"


def loss_charts(log: Sequence[Json], *, notes: bool = True) -> list[Chart]:
    """Draw the loss of each task over the steps: training and validation.

    Args:
        log: The lines of ``train.jsonl``.
        notes: Whether the first and last loss stand above a chart; off where a table says them.

    Returns:
        One chart a task that was trained on; none where nothing was logged.
    """
    import plotly.graph_objects as go

    steps = [line["step"] for line in log if "step" in line]
    charts = []
    for task in TASK_NAMES:
        points = list(_task_points(log, "tasks", task))
        held_out = list(_task_points(log, "validation", task))
        if not points and not held_out:
            continue
        smooth = len(points) >= SMOOTH_FROM
        figure = go.Figure(layout=_layout("optimiser step", "loss a label token"))
        if points:
            x, y, _ = zip(*points, strict=True)
            figure.add_scatter(
                x=x, y=y, mode="lines", name="training", meta={"role": task, "faint": smooth},
                hovertemplate="step %{x}: %{y:.3f}<extra>training</extra>",
            )  # fmt: skip
        if smooth:
            figure.add_scatter(
                x=x, y=_running_mean(points), mode="lines", name="running mean",
                meta={"role": task}, hovertemplate="step %{x}: %{y:.3f}<extra>mean</extra>",
            )  # fmt: skip
        if held_out:
            x, y, _ = zip(*held_out, strict=True)
            figure.add_scatter(
                x=x, y=y, mode="lines+markers", name="validation", meta={"role": "validation"},
                hovertemplate="step %{x}: %{y:.3f}<extra>validation</extra>",
            )  # fmt: skip
        figure.update_xaxes(range=[0, max(steps) * 1.02])
        figure.update_yaxes(rangemode="tozero")
        for step in _epoch_starts(log):
            figure.add_vline(x=step, line_width=1, line_dash="dot", opacity=0.5)
        said = _first_last("training", points) + _first_last(
            "validation", held_out, sep="; " if points else ""
        )
        title = wording.TASKS[task]
        note = said if notes else ""
        charts.append(_chart(f"loss-{task}", title, f"Loss of {title}: {said}", note, 240, figure))
    return charts


def length_charts(lengths: Lengths) -> list[Chart]:
    """Draw how long the instances of each task are, over one common axis."""
    import plotly.graph_objects as go

    top = max(max(values) for values in lengths.by_task.values())
    width = max(1, math.ceil((top + 1) / BINS))
    charts = []
    for task, values in lengths.by_task.items():
        counts = [0] * math.ceil((top + 1) / width)
        for value in values:
            counts[value // width] += 1
        middles = [(i + 0.5) * width for i in range(len(counts))]
        edges = [f"{i * width} to {(i + 1) * width - 1}" for i in range(len(counts))]
        figure = go.Figure(layout=_layout(lengths.unit, "instances"))
        figure.add_bar(
            x=middles, y=counts, customdata=edges, width=width * 0.9, meta={"role": task},
            hovertemplate=f"%{{customdata}} {lengths.unit}: %{{y}}<extra></extra>",
        )  # fmt: skip
        figure.update_xaxes(range=[0, len(counts) * width])
        note = (
            f"median {statistics.median(values):,.0f}, 95{wording.NARROW}% are at most "
            f"{_percentile(values, 0.95):,}, longest {max(values):,}"
        )
        title = wording.TASKS[task]
        words = f"Lengths of {title} in {lengths.unit}: {note}"
        charts.append(_chart(f"length-{task}", title, words, note, 200, figure))
    return charts


def accuracy_chart(evaluation: Mapping[str, Mapping[str, Json]]) -> Chart | None:
    """Draw accuracy with its 95 % interval, by benchmark and model.

    Args:
        evaluation: Model, then benchmark, to its result.

    Returns:
        One chart; None where nothing was evaluated.
    """
    import plotly.graph_objects as go

    names = list(dict.fromkeys(name for results in evaluation.values() for name in results))
    if not names:
        return None
    figure = go.Figure(layout=_layout("accuracy, %", ""))
    spread = 0.3 / max(1, len(evaluation) - 1)
    for order, (model, results) in enumerate(evaluation.items()):
        shown = [(i, results[n]) for i, n in enumerate(names) if n in results]
        values = [100 * r["accuracy"] for _, r in shown]
        bounds = [[100 * b for b in r["interval"]] for _, r in shown]
        # Smaller y is higher up, as the axis is reversed: the model named first is on top.
        figure.add_scatter(
            x=values, y=[i + order * spread - 0.15 for i, _ in shown], mode="markers",
            name=wording.MODELS.get(model, model), meta={"role": model, "size": 10},
            error_x={
                "type": "data", "symmetric": False, "thickness": 2.5, "width": 5,
                "array": [high - v for (_, high), v in zip(bounds, values, strict=True)],
                "arrayminus": [v - low for (low, _), v in zip(bounds, values, strict=True)],
            },
            customdata=[wording.interval(r["interval"]) for _, r in shown],
            hovertemplate="%{x:.1f} % (%{customdata})<extra>%{fullData.name}</extra>",
        )  # fmt: skip
    labels = []
    for name in names:
        result = next(results[name] for results in evaluation.values() if name in results)
        title = wording.benchmark_title(name).replace(", ", ",<br>")
        labels.append(f"<b>{title}</b><br>{wording.domain_words(result.get('domain'))}")
    figure.update_yaxes(
        tickvals=list(range(len(names))), ticktext=labels, range=[len(names) - 0.45, -0.55],
        showgrid=False,
    )  # fmt: skip
    top = max(100 * r["interval"][1] for results in evaluation.values() for r in results.values())
    figure.update_xaxes(range=[0, min(100.5, max(10.0, top * 1.06))])
    words = "Accuracy with 95 % intervals; the table below holds the same figures."
    return _chart("accuracy-chart", "Accuracy", words, "", 74 * len(names) + 70, figure)


def _layout(x: str, y: str) -> dict[str, Any]:
    # Fixed ranges and no drag: on a phone a finger on a chart must scroll the page.
    axis = {"fixedrange": True, "automargin": True, "zeroline": False}
    return {
        "template": "none",
        "showlegend": False,
        "dragmode": False,
        "hovermode": "closest",
        "margin": {"l": 8, "r": 12, "t": 8, "b": 8},
        "xaxis": {**axis, "title": {"text": x}, "nticks": 6},
        "yaxis": {**axis, "title": {"text": y}, "nticks": 6},
        "bargap": 0,
    }


def _chart(
    key: str, title: str, description: str, note: str, height: int, figure: go.Figure
) -> Chart:
    # Through Plotly's own writer, which turns what JSON has no word for (NaN) into null.
    return Chart(key, title, description, note, height, json.loads(figure.to_json()))


def _task_points(log: Sequence[Json], key: str, task: str) -> Iterator[tuple[int, float, float]]:
    """Yield (step, loss, label tokens) where the task has a finite loss."""
    for line in log:
        cell = (line.get(key) or {}).get(task)
        if not cell:
            continue
        loss = cell.get("loss")
        if loss is not None and math.isfinite(loss):
            yield line["step"], loss, cell.get("tokens") or 1


def _running_mean(points: Sequence[tuple[int, float, float]]) -> list[float]:
    """Average over a twentieth of the log around each point, weighted by label tokens."""
    reach = max(1, len(points) // 40)
    means = []
    for i in range(len(points)):
        near = points[max(0, i - reach) : i + reach + 1]
        means.append(sum(v * w for _, v, w in near) / sum(w for _, _, w in near))
    return means


def _epoch_starts(log: Sequence[Json]) -> list[int]:
    starts, last = [], None
    for line in log:
        if "tasks" not in line or "epoch" not in line:
            continue
        epoch = int(line["epoch"])
        if last is not None and epoch > last:
            starts.append(line["step"])
        last = epoch
    return starts


def _first_last(what: str, points: Sequence[tuple[int, float, float]], sep: str = "") -> str:
    if not points:
        return ""
    if len(points) == 1:
        return f"{sep}{what} {points[0][1]:.2f}"
    return f"{sep}{what} {points[0][1]:.2f} → {points[-1][1]:.2f}"


def _percentile(values: Sequence[int], share: float) -> int:
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
