"""Ways to fix a failed canary without a model, one a module. Each yields candidates, smallest first."""
