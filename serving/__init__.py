"""The embedding server: both towers of a registered version as endpoints."""
