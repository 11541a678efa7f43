"""The `decompose` command: one file a subcommand, each thin."""
