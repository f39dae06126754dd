"""HTTP look-alikes of the vendors over the simulated plant, with fault switches.

For the demo, our tests, and anyone's own tests. See docs/emulators.md.
"""
