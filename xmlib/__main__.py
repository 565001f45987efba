"""`python -m xmlib` is `xm`."""

import sys

from xmlib.commands.app import main

sys.exit(main())
