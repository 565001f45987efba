"""The files of the explorer: `python -m book.make.explorer`."""

import sys

from book.make.explorer.write import main

sys.exit(main())
