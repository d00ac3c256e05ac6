"""`python -m eiosniff`."""

from eiosniff.cli.main import main

if __name__ == "__main__":
    main()
