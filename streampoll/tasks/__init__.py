"""Users' own tasks: functions that are sent by name, run by workers, and leave a result."""
