"""One run as one HTML file that needs nothing else: results, curves as SVG, settings. No torch."""

from __future__ import annotations

import csv
import html
import io
import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from flora_engine.errors import FloraError
from flora_engine.files import write_text
from flora_engine.runs.analysis import parts_of, read_analysis
from flora_engine.runs.events import History
from flora_engine.runs.folder import CONFIG, RunFolder
from flora_engine.runs.history_file import Floats, Name
from flora_engine.runs.listing import read_config, read_notes, row_of
from flora_engine.runs.report_parts import decided
from flora_engine.runs.results import read_result
from flora_engine.runs.tables import numbers, result_table

_WIDTH, _HEIGHT, _LEFT, _BELOW = 520, 220, 64, 26
_MOST_POINTS = 1000  # of one curve: more cannot be seen, and make the file large
_MOST_CURVES = 8
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#7a6f00", "#444444")
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 1120px; margin: 2em auto; padding: 0 1em; color: #1c2129; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin-top: 2em; }
table { border-collapse: collapse; } th, td { border-bottom: 1px solid #ccd1d9; padding: 3px 10px; text-align: left; }
pre { background: #f4f5f7; padding: 1em; overflow: auto; } .curves { display: flex; flex-wrap: wrap; gap: 16px; }
figure { margin: 0; } figcaption { font-weight: 600; } .muted { color: #59626f; } svg text { font-size: 11px; }
"""


def write_report(run: RunFolder, path: Path) -> None:
    """Write the report. FloraError if the file cannot be written."""
    try:
        write_text(path, report(run))
    except OSError as error:
        raise FloraError(f"the report cannot be written: {error.strerror}", path=path) from None


def write_results(run: RunFolder, path: Path) -> None:
    """Write the numbers of a run as CSV: name and value. FloraError if there are none or it cannot be written."""
    found = numbers(read_result(run.result() or {}))
    if not found:
        raise FloraError("this run has no results yet", path=run.path)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("number", "value"), *found.items()])
    try:
        write_text(path, text.getvalue())
    except OSError as error:
        raise FloraError(f"the results cannot be written: {error.strerror}", path=path) from None


def report(run: RunFolder) -> str:
    """The HTML of a run, finished or not."""
    row, notes, history = row_of(run), read_notes(run.path), History(run.path)
    history.refresh()
    result = read_result(run.result() or {})
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.started)) if row.started else "never started"
    facts = [row.state, f"started {when}", f"worked {history.seconds() / 60:.1f} minutes"]
    facts += [f"data: {row.data}"] if row.data else []
    facts += [f"split: {row.split}"] if row.split else []
    body = [f"<h1>{_text(row.name)}</h1>", f'<p class="muted">{_text(" · ".join(facts))}</p>']
    body += [f"<p>{_text(notes.text)}</p>"] if notes.text else []
    body += [
        "<h2>Results</h2>",
        "<p>This run has no results yet.</p>" if result is None else _table(result_table(result)),
    ]
    for part in parts_of(run.path):
        title = f"What was decided: {part}" if part else "What was decided"
        body += [f"<h2>{_text(title)}</h2>", *decided(read_analysis(run.path / part), row.head)]
    plots = _plots(history)
    if plots:
        body += ["<h2>Curves</h2>", '<div class="curves">', *plots, "</div>"]
    body += ["<h2>Settings</h2>", f"<pre>{_text(_config_text(run.path))}</pre>"]
    head = f'<meta charset="utf-8"><title>{_text(row.name)}</title><style>{_STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n' + "\n".join(body) + "\n</body></html>\n"


def _config_text(path: Path) -> str:
    try:
        return (path / CONFIG).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return str(read_config(path))


def _table(markdown: str) -> str:
    """A Markdown table, and the lines around it, as HTML."""
    rows: list[str] = []
    other: list[str] = []
    for line in markdown.splitlines():
        if line.startswith("|---"):
            continue
        if line.startswith("|"):
            tag = "td" if rows else "th"
            cells = "".join(f"<{tag}>{_text(cell.strip())}</{tag}>" for cell in line.strip("|").split("|"))
            rows.append(f"<tr>{cells}</tr>")
        elif line.strip():
            other.append(f"<p>{_text(line)}</p>")
    return (f"<table>{''.join(rows)}</table>" if rows else "") + "".join(other)


def _plots(history: History) -> list[str]:
    """One figure per metric, its parts as curves; the newest parts of many."""
    metrics = dict.fromkeys(name.metric for name in history.series if not name.metric.endswith("seconds_left"))
    found = []
    for metric in metrics:
        names = [name for name in history.series if name.metric == metric]
        found.append(_figure(metric, names[-_MOST_CURVES:], history, len(names) > _MOST_CURVES))
    return found


def _figure(metric: str, names: Sequence[Name], history: History, more: bool) -> str:
    curves = [_thinned(*history.series[name].points()) for name in names]
    x, y = (np.concatenate([curve[axis] for curve in curves]) for axis in (0, 1))
    good = np.isfinite(x) & np.isfinite(y)
    if not good.any():
        return ""
    left, right, low, high = x[good].min(), x[good].max(), y[good].min(), y[good].max()
    paths = (_path(curve, (left, right, low, high)) for curve in curves)
    style = 'fill="none" stroke-width="1.5"'
    lines = [f'<path d="{path}" stroke="{_COLOURS[place]}" {style}/>' for place, path in enumerate(paths)]
    box = f'<rect x="{_LEFT}" y="8" width="{_WIDTH - _LEFT - 8}" height="{_HEIGHT - _BELOW - 8}"'
    texts = [
        f'<text x="{_LEFT - 6}" y="18" text-anchor="end">{high:.4g}</text>',
        f'<text x="{_LEFT - 6}" y="{_HEIGHT - _BELOW}" text-anchor="end">{low:.4g}</text>',
        f'<text x="{_LEFT}" y="{_HEIGHT - 8}">{left:g}</text>',
        f'<text x="{_WIDTH - 8}" y="{_HEIGHT - 8}" text-anchor="end">{right:g}</text>',
    ]
    svg = f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="{_text(metric)}">{box} fill="none" '
    svg += f'stroke="#ccd1d9"/>{"".join(lines)}{"".join(texts)}</svg>'
    return f"<figure><figcaption>{_text(metric)}</figcaption>{svg}<br>{_legend(names, more)}</figure>"


def _legend(names: Sequence[Name], more: bool) -> str:
    if len(names) == 1 and not names[0].part:
        return ""
    marks = [f'<span style="color:{_COLOURS[place]}">■</span> {_text(name.part)}' for place, name in enumerate(names)]
    return f"<small>{'<br>'.join(marks)}{'<br>(the newest parts)' if more else ''}</small>"


def _thinned(steps: Floats, values: Floats) -> tuple[Floats, Floats]:
    every = max(1, math.ceil(len(steps) / _MOST_POINTS))
    return steps[::every], values[::every]


def _path(curve: tuple[Floats, Floats], box: tuple[float, float, float, float]) -> str:
    """An SVG path; a gap where a value is not a number, a short line for a single point."""
    left, right, low, high = box
    wide, tall = (right - left) or 1.0, (high - low) or 1.0
    parts, pen = [], "M"
    for step, value in zip(*curve, strict=True):
        if not np.isfinite(value):
            pen = "M"
            continue
        x = _LEFT + (step - left) / wide * (_WIDTH - _LEFT - 8)
        y = 8 + (high - value) / tall * (_HEIGHT - _BELOW - 8)
        parts.append(f"{pen}{x:.1f} {y:.1f}" + ("h2" if pen == "M" else ""))
        pen = "L"
    return "".join(parts)


def _text(text: str) -> str:
    return html.escape(text)
