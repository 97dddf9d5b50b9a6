"""Training on a cluster: the objects of a submission, the operators that run them, and the step that follows them."""
