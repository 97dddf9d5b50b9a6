"""Feast holds what a training set is selected by; a historical join selects it."""
