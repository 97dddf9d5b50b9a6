"""Boots a real Kubernetes for the tests: real API server, real kubelets, real containers, in namespaces of their own.

A node is one process tree below a PID 1 of its own, so that killing that one process ends everything in it, pods
too; network and mounts vanish with it. What could outlive it (cgroups, a folder) is named in a record written before.
"""
