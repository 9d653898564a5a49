"""The checks, one module each: `CODE`, `SEVERITY` and `check(graph, path)`."""
