"""Recorded provider streams: found, served again over real sockets, read, and compared."""
