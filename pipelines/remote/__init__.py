"""Flows on Kubeflow Pipelines: what is uploaded, how its API is called, how a run is followed, what recurs."""
