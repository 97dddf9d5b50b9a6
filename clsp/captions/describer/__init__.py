"""Captions from measures: varied plain English that says only what was measured in a clip.

It is no language model; every sentence is a template over a level of one measure, so each can be checked.
"""

from clsp.captions.describer.description import Kind, describe

__all__ = ["Kind", "describe"]
