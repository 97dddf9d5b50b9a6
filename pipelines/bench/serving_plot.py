"""The sweep of ``clsp bench serve`` as a picture: latency against offered load, with the knee."""

from collections.abc import Sequence

from pipelines.bench.serving import ServeBench

WIDTH, HEIGHT, LEFT, BOTTOM = 640, 360, 60, 40
_CURVES = (("p50", "#2a78d6"), ("p95", "#b8730a"), ("p99", "#c2362b"))


def plot(bench: ServeBench) -> str:
    """An SVG document."""
    right, top = max(step.offered for step in bench.steps), max(step.p99 for step in bench.steps) or 1.0

    def place(offered: float, seconds: float) -> str:
        x = LEFT + offered / right * (WIDTH - LEFT - 20)
        return f"{x:.1f},{HEIGHT - BOTTOM - seconds / top * (HEIGHT - BOTTOM - 30):.1f}"

    def curve(name: str, colour: str) -> str:
        points = " ".join(place(step.offered, getattr(step, name)) for step in bench.steps)
        return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'

    knee = place(bench.knee, 0).split(",")[0]
    lines = [curve(*each) for each in _CURVES]
    labels = [_text(LEFT + 10 + 60 * number, 20, name, colour) for number, (name, colour) in enumerate(_CURVES)]
    axes = (
        f'<path d="M{LEFT} 30V{HEIGHT - BOTTOM}H{WIDTH - 20}" fill="none" stroke="#888"/>'
        f'<path d="M{knee} 30V{HEIGHT - BOTTOM}" stroke="#888" stroke-dasharray="4 4"/>'
    )
    ticks = [
        _text(LEFT - 50, HEIGHT - BOTTOM, "0 s"),
        _text(LEFT - 50, 36, f"{top:.2g} s"),
        _text(float(knee) + 4, 42, f"knee {bench.knee:.3g}/s"),
        _text(WIDTH - 190, HEIGHT - 12, f"offered, up to {right:.3g} requests/s"),
    ]
    return _document([axes, *lines, *labels, *ticks])


def _text(x: float, y: float, content: str, colour: str = "#555") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" fill="{colour}">{content}</text>'


def _document(parts: Sequence[str]) -> str:
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    style = 'font-family="sans-serif" font-size="12"'
    title = "<title>Latency of embedding requests against offered load</title>"
    ground = '<rect width="100%" height="100%" fill="#fff"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{title}{ground}{"".join(parts)}</svg>\n'
