"""The commands as a person types them: names, options and help; what they do is in ``commands``."""
