"""Small plots as SVG: bars, and how far each figure is from its target. Readable on light and on dark paper."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

__all__ = ["bars", "goals"]

_WIDTH, _LINE, _LABEL = 720, 22, 230
_STYLE = """<style>
text { font: 12px system-ui, sans-serif; fill: #6e7781 }
.ours { fill: #1a7f5a } .theirs { fill: #9aa4ae } .short { fill: #d0682a } .axis { stroke: #9aa4ae }
@media (prefers-color-scheme: dark) {
text { fill: #ccc } .ours { fill: #3fb68b } .theirs { fill: #5d6873 } .short { fill: #e8834a }
}
</style>"""


def bars(title: str, figures: Sequence[tuple[str, float]], measure: str) -> str:
    """One bar a contender, in the order given; the first one is ours."""
    most = max(value for _, value in figures) or 1
    room = _WIDTH - _LABEL - 120
    lines = [_text(0, 14, title)]
    for number, (label, value) in enumerate(figures):
        top = 26 + number * _LINE
        length = max(room * value / most, 1)
        kind = "theirs" if number else "ours"
        lines += [
            _text(_LABEL - 8, top + 12, label, "end"),
            f'<rect class="{kind}" x="{_LABEL}" y="{top}" width="{length:.0f}" height="16" rx="2"/>',
            _text(_LABEL + length + 6, top + 12, f"{_short(value)} {measure}"),
        ]
    return _svg(title, lines, 26 + len(figures) * _LINE)


def goals(title: str, reached: Sequence[tuple[str, float]]) -> str:
    """One dot a figure: how many times better than its target it is (to the right of the line), or how many worse."""
    decades = max(1.0, *(abs(math.log10(times)) for _, times in reached))
    label, room = 390, _WIDTH - 390 - 70
    middle = label + room / 2
    bottom = 26 + len(reached) * _LINE
    lines = [
        _text(0, 14, title),
        _text(middle, 14, "target", "middle"),
        f'<line class="axis" x1="{middle}" x2="{middle}" y1="20" y2="{bottom}"/>',
    ]
    for number, (what, times) in enumerate(reached):
        top = 26 + number * _LINE
        at = middle + (room / 2 - 14) * math.log10(times) / decades
        kind = "ours" if times >= 1 else "short"
        left, width = min(middle, at), abs(at - middle)
        lines += [
            _text(label - 8, top + 12, what, "end"),
            f'<rect class="{kind}" x="{left:.0f}" y="{top + 7}" width="{width:.0f}" height="3"/>',
            f'<circle class="{kind}" cx="{at:.0f}" cy="{top + 8.5}" r="5"/>',
            _text(_WIDTH - 56, top + 12, f"× {_short(times)}"),
        ]
    return _svg(title, lines, bottom)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _text(x: float, y: float, words: str, anchor: str = "start") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(words)}</text>'


def _svg(title: str, lines: Sequence[str], height: float) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height + 6:.0f}" role="img">'
    return "\n".join([head, f"<title>{escape(title)}</title>", _STYLE, *lines, "</svg>", ""])
