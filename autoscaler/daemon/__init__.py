"""The daemon: observe, decide, journal, act, and answer those who ask; every vendor behind a port."""
