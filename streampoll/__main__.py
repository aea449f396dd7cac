"""`python -m streampoll`: the command line."""

from streampoll.cli import main

main()
