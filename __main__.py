"""`python -m langgraph_decompose` is `decompose`."""

import sys

from .cli.main import main

sys.exit(main())
