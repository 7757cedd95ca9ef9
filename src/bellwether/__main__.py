"""`python -m bellwether`."""

from bellwether.cli.main import main

main()
