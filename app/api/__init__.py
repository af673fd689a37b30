"""The HTTP interface: who may call what, and what the calls mean to the store and the intake."""
