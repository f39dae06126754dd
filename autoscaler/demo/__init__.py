"""The demo: emulated vendors, a day of demand and the real daemon in one process, sped up."""
