"""The emulator: its answers, its faults, its life. Real sockets on loopback, no sleeps."""
