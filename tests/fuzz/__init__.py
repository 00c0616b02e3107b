"""Damaged inputs for every reader, many and fast; ``make fuzz`` tries millions.

Each input follows from its target and its number, so what was found is tried again alone::

    python -m tests.fuzz --inputs 1000000 --jobs 2
    python -m tests.fuzz sse --number 4711
"""
