"""Recordings from anywhere to segments: found, decoded, cut, judged, named, told apart by speaker, and split."""
