"""What `graft bench NAME` runs, one module each.

`add_arguments(parser)` and `run(args) -> dict[str, float | int | str]`.

Keys are flat, with the unit in the name; the keys of each bench are listed in its module's docstring.
"""
