"""The steps of the flow, one folder each: ``component.py`` is what KFP sees, ``main.py`` is what runs."""
