"""The wire layer: frames to chunks and back, requests to bodies and back. No loop, no network."""
