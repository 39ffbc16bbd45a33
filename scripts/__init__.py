"""Best Image Models: one folder per Make target; see README.md."""

from scripts.common.docstrings import keep
from scripts.common.locales import make_do
from scripts.common.processor import limit_threads
from scripts.common.telemetry import switch_off

keep()
make_do()
switch_off()
limit_threads()
