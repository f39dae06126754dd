"""What each command does: one module per command, and what only that command needs."""
