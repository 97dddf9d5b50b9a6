"""An immutable model version, and an alias that moves by compare-and-swap."""
