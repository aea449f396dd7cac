"""Events on their way to people: routes, groups, messages, channels."""
