"""A figure has the same hash in another process and on another processor: else `make verify` would call other
arithmetic another style.

Vector instructions and BLAS differ in the last digits and, in unstable sorts, in the order of ties; here both are
switched.
"""

import hashlib
import json
import os
import subprocess
import sys

import pytest

from scripts.common.paths import ROOT

pytestmark = pytest.mark.slow

CODE = """
import hashlib, json, sys
from scripts.figures import export
from scripts.figures.catalogue import drawings
figures = {name: export.figure_json(drawing.figure) for name, drawing in drawings()}
print(json.dumps({name: hashlib.sha256(figure.encode()).hexdigest() for name, figure in figures.items()}))
"""


OTHER = {
    "PYTHONHASHSEED": "12345",
    "OPENBLAS_CORETYPE": "Prescott",
    "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL X86_V3 X86_V4",
}


def test_figures_depend_on_neither_process_nor_processor(every_drawing, timm_tables):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CODE],
        cwd=ROOT,
        env={**os.environ, **OTHER, "TIMM_RESULTS": str(timm_tables)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    there = json.loads(done.stdout)
    here = {name: hashlib.sha256(drawing.figure.encode()).hexdigest() for name, drawing in every_drawing.items()}
    assert there == here
