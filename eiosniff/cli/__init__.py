"""The command line: options in, exit codes out; everything else is done by `eiosniff.app` and `eiosniff.report`.

Modules here import click and the standard library at their top, and the rest inside the commands: `--help` and
`--version` must answer at once.
"""
