"""streampoll polls network devices on a schedule and accounts for every poll."""

__version__ = "0.1.0"
