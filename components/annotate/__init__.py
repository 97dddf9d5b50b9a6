"""A captioner describes every segment in several independent views."""
