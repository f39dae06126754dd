"""The demo: an emulated vendor, a day of demand and the real daemon in one process, sped up."""
