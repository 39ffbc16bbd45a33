"""Our modules keep their docstrings under `python -OO` and PYTHONOPTIMIZE=2: `--help` is written from them.

scripts/__init__.py calls this before it imports others. Standard library alone.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder, SourceFileLoader


class _Whole(SourceFileLoader):
    def get_code(self, fullname: str):
        """The module compiled with all that it says; without the cache, which may lack it."""
        path = self.get_filename(fullname)
        return compile(self.get_data(path), path, "exec", dont_inherit=True, optimize=0)


class _Finder(PathFinder):
    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        if not fullname.startswith("scripts."):
            return None
        spec = super().find_spec(fullname, path, target)
        if spec and type(spec.loader) is SourceFileLoader:
            spec.loader = _Whole(spec.loader.name, spec.loader.path)
        return spec


def keep() -> None:
    """Keep them, where this Python drops them."""
    if sys.flags.optimize > 1 and _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
