"""Great Expectations guards the whole; segments and captions become examples."""
