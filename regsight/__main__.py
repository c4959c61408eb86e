"""`python -m regsight` is the `regsight` program."""

from regsight.cli import main

if __name__ == "__main__":
    main()
