"""Where answers come from: the configuration, the running daemon over HTTP, or else its journal."""
