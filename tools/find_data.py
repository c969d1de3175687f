"""Make sure that real Fashion-MNIST is there before the notebooks are executed.

The library falls back to a small bundled sample where nothing else is found. The stored
outputs were computed on the whole set, so for the tests a sample is not enough.
"""

import sys
import warnings

from gnet_lib.data import CorruptDataError, load_fashion_mnist

NEEDED = "The tests need the whole Fashion-MNIST set, not the sample. Get it in one of the ways above, then run the same command again."


def main() -> int:
    """Find or download the data; 0 when it is the whole set."""
    try:
        # The library's warning names the ways to the data; shown without a line of code.
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = load_fashion_mnist(quiet=True)
    except (
        ValueError,
        CorruptDataError,
    ) as error:  # GNET_DATA names a wrong folder, a file is damaged
        print(error, file=sys.stderr)
        return 1
    if found.is_sample:
        print(*[warning.message for warning in caught], NEEDED, sep="\n", file=sys.stderr)
        return 1
    print(found.origin)
    return 0


if __name__ == "__main__":
    sys.exit(main())
