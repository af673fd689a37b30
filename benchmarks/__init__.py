"""`make bench`: what the service takes, one module a benchmark; figures are printed and kept, nothing is a test."""
