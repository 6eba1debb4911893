"""The charts, as Plotly figures without colours: the page gives each trace the colour of its role.

A trace's ``meta`` names its role (``solve``, ``validation``, ``base``, ...), and the page's
script takes that role's colour from the style sheet, so one figure serves light and dark.
"""

from __future__ import annotations

import base64
import gzip
import html
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

    from dualtune.evaluate.statistics import Estimate
    from dualtune.report.accuracy import Pair

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


def accuracy_charts(lines: Sequence[Json], models: Sequence[str]) -> list[Chart]:
    """Draw accuracy with its 95 % interval, by benchmark and model.

    Args:
        lines: The lines of ``accuracy.table``.
        models: The models of its cells, in order.

    Returns:
        One chart; none where nothing was evaluated.
    """
    import plotly.graph_objects as go

    if not lines:
        return []
    figure = go.Figure(layout=_layout("accuracy, %", ""))
    roles = wording.model_roles(models)
    for order, model in enumerate(models):
        cells = [(i, line["cells"][order][1], line["average"]) for i, line in enumerate(lines)]
        _add_intervals(
            figure, [cell for cell in cells if cell[1] is not None], order=order,
            of=len(models), role=roles[model], name=wording.model_title(model), sign=False,
        )  # fmt: skip
    _label_lines(figure, lines)
    top = max(100 * cell.high for line in lines for _, cell in line["cells"] if cell is not None)
    figure.update_xaxes(range=[0, min(100.5, max(10.0, top * 1.06))])
    words = "Accuracy with 95 % intervals; the table below holds the same figures."
    height = _lines_height(lines, len(models))
    return [_chart("accuracy-chart", "Accuracy", words, "", height, figure)]


def difference_charts(lines: Sequence[Json], pairs: Sequence[Pair]) -> list[Chart]:
    """Draw the paired differences with their intervals around the line of no difference.

    Args:
        lines: The lines of ``accuracy.table``.
        pairs: The pairs of its changes, in order.

    Returns:
        One chart; none where no two models share rows.
    """
    import plotly.graph_objects as go

    shown = [line for line in lines if any(change is not None for change in line["changes"])]
    if not shown:
        return []
    figure = go.Figure(layout=_layout("difference on the same rows, points", ""))
    figure.add_vline(x=0, line_width=1.5)
    roles = wording.model_roles([pair.b for pair in pairs])
    for order, pair in enumerate(pairs):
        cells = [
            (i, line["changes"][order].difference, line["average"])
            for i, line in enumerate(shown)
            if line["changes"][order] is not None
        ]
        _add_intervals(
            figure, cells, order=order, of=len(pairs), role=roles[pair.b],
            name=wording.model_title(pair.b), sign=True,
        )  # fmt: skip
    _label_lines(figure, shown)
    bounds = [
        100 * bound
        for line in shown
        for change in line["changes"]
        if change is not None
        for bound in (change.difference.low, change.difference.high)
    ]
    # The line of no difference is always in view, with a little room on both sides.
    low, high = min(-1.0, *bounds), max(1.0, *bounds)
    room = 0.05 * (high - low)
    figure.update_xaxes(range=[low - room, high + room])
    words = "Paired differences with 95 % intervals; the table below holds the same figures."
    height = _lines_height(shown, len(pairs))
    return [_chart("difference-chart", "Differences", words, "", height, figure)]


def _add_intervals(
    figure: go.Figure, cells: Sequence[tuple[int, Estimate, bool]], *,
    order: int, of: int, role: str, name: str, sign: bool,
) -> None:  # fmt: skip
    """Add a trace of points with error bars, a line each; averages are diamonds."""
    spread = 0.3 / max(1, of - 1)
    values = [100 * one.value for _, one, _ in cells]
    # Smaller y is higher up, as the axis is reversed: the model named first is on top.
    shift = order * spread - (0.15 if of > 1 else 0)
    unit = " points" if sign else " %"
    figure.add_scatter(
        x=values, y=[i + shift for i, _, _ in cells], mode="markers", name=name,
        meta={"role": role, "size": 10}, cliponaxis=False,
        marker={"symbol": ["diamond" if average else "circle" for _, _, average in cells]},
        error_x={
            "type": "data", "symmetric": False, "thickness": 2.5, "width": 5,
            "array": [100 * one.high - v for (_, one, _), v in zip(cells, values, strict=True)],
            "arrayminus": [v - 100 * one.low for (_, one, _), v in zip(cells, values, strict=True)],
        },
        customdata=[
            wording.point_bounds(one) if sign else wording.interval((one.low, one.high))
            for _, one, _ in cells
        ],
        hovertemplate=f"%{{x:{'+' if sign else ''}.1f}}{unit} (%{{customdata}})"
        "<extra>%{fullData.name}</extra>",
    )  # fmt: skip


def _label_lines(figure: go.Figure, lines: Sequence[Json]) -> None:
    labels = []
    for line in lines:
        title = html.escape(line["title"]).replace(", ", ",<br>", 1 if line["average"] else -1)
        small = "" if line["average"] else f"<br>{html.escape(line['note'].split(' · ')[0])}"
        labels.append(f"<b>{title}</b>{small}")
    figure.update_yaxes(
        tickvals=list(range(len(lines))), ticktext=labels, range=[len(lines) - 0.45, -0.55],
        showgrid=False,
    )  # fmt: skip


def _lines_height(lines: Sequence[Json], traces: int) -> int:
    # Nine benchmarks with averages must fit a screen; a few may stand more loosely.
    line = 44 if len(lines) > 4 else 60
    return max(line, 12 * traces + 20) * len(lines) + 70


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
