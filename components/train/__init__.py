"""Stage 1: symmetric InfoNCE on fine captions."""
