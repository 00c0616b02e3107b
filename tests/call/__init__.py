"""One call of a model: its requests, its answer, when it is tried again. Mostly in virtual time."""
