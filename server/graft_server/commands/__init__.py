"""The subcommands of `graft`, one module each: `HELP`-less, with `add_arguments(parser)` and `run(args) -> int`."""
