"""OpenVINO's entrance, once in a process.

Each Core that compiles for the processor gives its thread a stack for signals, and takes it away at its end. Two that
end in the order in which they began leave the thread with one that is gone (OpenVINO 2026.4): the next signal with a
handler, Ctrl-C or the end of a child, is a segmentation fault.
"""

from __future__ import annotations

import functools


@functools.cache
def core():
    """The `openvino.Core` of this process, until its end."""
    import openvino

    return openvino.Core()
