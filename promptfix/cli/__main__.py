"""`python -m promptfix.cli` is `promptfix`."""

from promptfix.cli import main

main()
