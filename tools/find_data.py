"""Make sure that real Fashion-MNIST is there before the notebooks are executed.

The library falls back to a small bundled sample where nothing else is found. The stored
outputs were computed on the whole set, so for the tests a sample is not enough.
"""

import sys

from gnet_lib.data import CorruptDataError, load_fashion_mnist

HELP = """\
The tests need the whole Fashion-MNIST set, and it was neither found nor could it be downloaded. Either
  - on Debian or Ubuntu: sudo apt install dataset-fashion-mnist
  - or put the four .gz files into a folder and name it: export GNET_DATA=/that/folder
  - or run again with a connection to the internet"""


def main() -> int:
    """Find or download the data; 0 when it is the whole set."""
    try:
        found = load_fashion_mnist(quiet=True)
    except (ValueError, CorruptDataError) as error:  # GNET_DATA names a wrong folder, a file is damaged
        print(error, file=sys.stderr)
        return 1
    if found.is_sample:
        print(HELP, file=sys.stderr)
        return 1
    print(found.origin)
    return 0


if __name__ == "__main__":
    sys.exit(main())
