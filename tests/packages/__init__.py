"""Small distributions of third parties, and how a test installs one without a network."""
