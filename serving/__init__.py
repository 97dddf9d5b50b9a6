"""The embedding server: both towers of a registered version as endpoints.

Requests of every protocol become the same inputs (``inputs``), go through one service (``service``) and one device
thread (``engine``); the routes only translate.
"""
