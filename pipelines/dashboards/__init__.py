"""The boards an operator watches, written as data and turned into Grafana's JSON in one place.

The chart carries the JSON for Grafana's sidecar; ``clsp dashboards push`` sends the same through Grafana's API.
"""
