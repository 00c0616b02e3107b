"""Tools: made of functions, checked, run."""
