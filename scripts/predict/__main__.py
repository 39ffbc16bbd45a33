"""`python -m scripts.predict`: see scripts/predict/command.py."""

import sys

from scripts.predict.command import main

sys.exit(main())
