"""Torch with one thread: networks of tests are too small for more, and two tests run beside each other.

from tests.threads import one_thread  # noqa: F401 - used by every test of the module
"""

from __future__ import annotations

import pytest
import torch

ONE_THREAD = {"OMP_NUM_THREADS": "1"}  # for a process of its own


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
