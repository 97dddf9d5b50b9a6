"""Numbers as the report prints them: one spelling a quantity, always with its unit."""

_NARROW = "\u202f"


def percent(share: float, digits: int = 1) -> str:
    """``0.2134`` as ``21.3 %``."""
    return f"{100 * share:.{digits}f}{_NARROW}%"


def count(value: float) -> str:
    """``12345`` as ``12,345``."""
    return f"{value:,.0f}"


def seconds(value: float) -> str:
    """``0.42`` as ``0.42 s``, ``75`` as ``1 min 15 s``, ``7505`` as ``2 h 05 min``."""
    if value < 9.95:
        return f"{value:.2f}{_NARROW}s" if value < 0.995 else f"{value:.1f}{_NARROW}s"
    whole = round(value)
    if whole < 60:
        return f"{whole}{_NARROW}s"
    if whole < 3600:
        return f"{whole // 60}{_NARROW}min {whole % 60:02d}{_NARROW}s"
    return f"{whole // 3600}{_NARROW}h {whole % 3600 // 60:02d}{_NARROW}min"


def size(value: float) -> str:
    """Bytes in binary units: ``1536`` as ``1.5 KiB``."""
    units = ("B", "KiB", "MiB", "GiB", "TiB")
    power = 0
    while value >= 1023.5 and power < len(units) - 1:
        value, power = value / 1024, power + 1
    digits = 0 if power == 0 or value >= 99.5 else 1 if value >= 9.95 else 2
    return f"{value:.{digits}f}{_NARROW}{units[power]}"


def times(value: float) -> str:
    """A ratio: ``17.04`` as ``17 ×``, ``2.51`` as ``2.5 ×``."""
    return f"{value:.0f}{_NARROW}×" if value >= 9.95 else f"{value:.1f}{_NARROW}×"


def rank(value: float) -> str:
    """A rank, which ties may place halfway: ``3``, ``3.5``."""
    return f"{value:,.1f}".removesuffix(".0")
