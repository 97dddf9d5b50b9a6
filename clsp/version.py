"""The version of the code: part of every recipe, so that other code is other work."""

__version__ = "0.1.0"
