"""Programs on other systems. They run in those systems' environments, as scripts, and import nothing of streampoll."""
