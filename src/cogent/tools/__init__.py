"""Functions that a model may call: what it is told of them, and running them."""
