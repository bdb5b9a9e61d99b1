"""The verbs, one module each: load, call, show."""
