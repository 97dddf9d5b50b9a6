"""Retrieval both ways on held-out speakers, with intervals and a shuffled control."""
