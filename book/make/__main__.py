"""What the book shows of the runs: `python -m book.make`, before the book is built."""

import sys

from book.make.results.report import main

sys.exit(main())
