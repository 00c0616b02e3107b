"""The framing layer: bytes to frames and back. No event loop, no network, no clock."""
