"""One call to one model: its answer, its deadlines and its tries."""
