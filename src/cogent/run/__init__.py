"""One run: the loop that decides, and the stream that does what it decided."""
