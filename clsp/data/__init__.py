"""From examples to batches: order, pairs of texts, features, tokens."""
