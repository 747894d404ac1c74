"""``python -m alphacrit`` is the command ``alphacrit``."""

import sys

from alphacrit.entry import main

if __name__ == "__main__":
    sys.exit(main())
