"""The emulators, over real HTTP."""
