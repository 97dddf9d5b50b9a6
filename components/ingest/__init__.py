"""Recordings of any kind become 16 kHz segments of 1 to 30 seconds."""
