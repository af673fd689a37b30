"""The core: what a failed canary means and what to do about it.

Read the modules in the order the data flows: incident, evidence, triage, diagnosis, fix,
verification, policy, pull_request, outcome; `graph` strings them together. Where a model is configured,
`investigator` and `fixer` ask it, with the `tools`, within the `budget`. Nothing here performs I/O,
knows a vendor or reads a clock: ports come in as arguments.
"""
