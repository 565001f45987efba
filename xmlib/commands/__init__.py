"""The command line `xm`: a module for each group of commands, which reads options, calls xmlib and prints.

A new group is a module with a `typer.Typer` and a line in `app`; a command of its own is a function and a line there.
Commands return their exit status, or nothing for 0, and leave errors to `app.main`. What takes long to import, PyTorch
first of all, is imported inside the command, so that `--help` is there at once.
"""
