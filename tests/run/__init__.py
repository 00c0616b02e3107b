"""One run: its stream, its steps, the other models it may turn to, and runs without a loop."""
