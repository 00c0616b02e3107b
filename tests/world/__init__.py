"""A world that follows from one number: clients, servers, the network between them, and time.

The library, ``httpx`` and ``httpcore`` are the real ones, up to where ``anyio`` opens a socket; the
bytes go through memory, the servers are the emulator's own, and the clock jumps. A seed is a world,
so what goes wrong in one of many goes wrong again alone::

    python -m tests.world --seeds 0:10000
    python -m tests.world 4711
"""
