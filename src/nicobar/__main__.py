"""The program `nicobar`, also as `python -m nicobar`."""

import sys


def main() -> None:
    """Run the command line and exit with its status."""
    from nicobar.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
