"""The shell: everything that touches the world. `cli` starts it, `main` and `worker` wire it."""
