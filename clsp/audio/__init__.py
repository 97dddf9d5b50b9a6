"""Sound in, segments, features and measures out."""
