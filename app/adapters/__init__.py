"""One vendor or tool a module; adapters fill the core's ports and do not know each other."""
