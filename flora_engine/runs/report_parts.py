"""What a run decided, as parts of its HTML report: confusion, classes, calibration. No torch."""

from __future__ import annotations

import html
import math

from flora_engine.runs.analysis import Analysis, View

_CELL, _NAMES, _SIDE = 16, 170, 260  # pixels
_MOST_CLASSES = 130
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#7a6f00", "#444444")


def decided(found: Analysis, head: str) -> list[str]:
    """Figures of one head among all classes, else among the unseen ones; of its first head if it has no `head`."""
    if not found.files:
        return []
    head = head if head in found.heads else found.heads[0]
    setting = "gzsl" if (head, "gzsl") in found.files else "zsl"
    view = found.view(head, setting)
    among = "all classes" if setting == "gzsl" else "unseen classes"
    parts = [f"<p>{_text(head)}, among {among}, held-out, {len(view.seeds)} seed(s).</p>", '<div class="curves">']
    parts += [_confusion(view)] if len(view.classes) <= _MOST_CLASSES else []
    parts += [_balance(view)] if setting == "gzsl" else []
    return [*parts, "</div>", _classes(view)]


def _confusion(view: View) -> str:
    names = [_name(view, int(label)) for label in view.classes]
    size = _CELL * len(names)
    cells = [
        f'<rect x="{_NAMES + _CELL * column}" y="{_CELL * row}" width="{_CELL}" height="{_CELL}" fill="#0072b2" '
        f'fill-opacity="{share:.3f}"><title>{_text(names[row])} → {_text(names[column])}: {share:.0%}</title></rect>'
        for row, shares in enumerate(view.confusion)
        for column, share in enumerate(shares)
        if share > 0.0005
    ]
    words = [
        f'<text x="{_NAMES - 6}" y="{_CELL * row + 12}" text-anchor="end">{_text(name[:26])}</text>'
        for row, name in enumerate(names)
    ]
    frame = f'<rect x="{_NAMES}" y="0" width="{size}" height="{size}" fill="none" stroke="#ccd1d9"/>'
    svg = f'<svg width="{_NAMES + size + 1}" height="{size + 1}" role="img" aria-label="confusion">'
    caption = "Confusion: rows are the true class; columns, in the same order, what it was taken for"
    return f"<figure><figcaption>{caption}</figcaption>{svg}{''.join(cells + words)}{frame}</svg></figure>"


def _balance(view: View) -> str:
    lines = []
    for one, colour in zip(view.decisions, _COLOURS * len(view.seeds), strict=False):
        points = " ".join(f"{_SIDE * seen:.1f},{_SIDE * (1 - unseen):.1f}" for _, seen, unseen in one.curve.T)
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        seen, unseen = one.shares(view.analysis.unseen)
        if math.isfinite(seen) and math.isfinite(unseen):
            lines.append(f'<circle cx="{_SIDE * seen:.1f}" cy="{_SIDE * (1 - unseen):.1f}" r="5" fill="{colour}"/>')
    frame = f'<rect x="0" y="0" width="{_SIDE}" height="{_SIDE}" fill="none" stroke="#ccd1d9"/>'
    svg = f'<svg width="{_SIDE}" height="{_SIDE}" role="img" aria-label="seen and unseen">{frame}{"".join(lines)}</svg>'
    caption = "Accuracy of unseen (up) against seen classes (right), 0 to 100%; ● the chosen calibration"
    return f"<figure><figcaption>{caption}</figcaption>{svg}</figure>"


def _classes(view: View) -> str:
    rows = [
        f"<tr><td>{_text(_name(view, label))}</td><td>{'unseen' if label in view.analysis.unseen else 'seen'}</td>"
        f"<td>{count}</td><td>{share:.1%}</td></tr>"
        for label, (count, share) in view.accuracies().items()
    ]
    return f"<table><tr><th>class</th><th></th><th>recordings</th><th>right</th></tr>{''.join(rows)}</table>"


def _name(view: View, label: int) -> str:
    names = view.analysis.names
    return names[label] if label < len(names) else f"class {label + 1}"


def _text(text: str) -> str:
    return html.escape(text)
