"""What polls mean: rates of counters, the state of devices, rules on both, and the events that they raise."""
