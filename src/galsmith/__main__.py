"""``python -m galsmith``: the command line, as ``torchrun -m galsmith train`` starts it in each of its processes."""

import sys

from galsmith.cli import main

if __name__ == "__main__":
    sys.exit(main())
