"""What is promised about speed and size, measured. Not tests: they print, and judge nothing."""
