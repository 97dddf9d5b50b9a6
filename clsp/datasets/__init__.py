"""Data sets as people have them: read as offers of clips with captions, and written back for other trainers."""
