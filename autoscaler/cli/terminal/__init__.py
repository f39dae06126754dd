"""How answers look: streams, tables, times, exit statuses, and the transcript of a decision."""
