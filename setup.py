"""Compiles the decoders (`docs/decisions/0005-compiled.md`); all else about the package is in setup.cfg.

The same modules run uncompiled, at half the speed: where there is no C compiler, in an editable installation, and with
EIOSNIFF_PURE=1. EIOSNIFF_OPTIMISE (0 to 3, the default) is for tests: less takes half the time to compile.
"""

import os
import sys
from pathlib import Path

from setuptools import Extension, setup

COMPILED = (
    "eiosniff/capture/records.py",
    "eiosniff/decode/**/*.py",
    "eiosniff/model/*.py",
    "eiosniff/rules/engine.py",
    "eiosniff/knowledge/observe.py",
    "eiosniff/knowledge/library.py",
    "eiosniff/report/as_json.py",
    "eiosniff/report/redact.py",
    "eiosniff/report/sanitise.py",
    "eiosniff/report/figures.py",
    "eiosniff/report/wording.py",
)
# msgspec makes the classes of this module from their annotations as they run.
NOT_COMPILED = {"eiosniff/decode/socketio/json_shapes.py"}
# Commands that compile nothing: they ask for metadata, or their result is for whoever changes the sources.
WITHOUT = {"editable_wheel", "develop", "egg_info", "dist_info", "sdist"}


def extensions() -> list[Extension]:
    """The compiled modules; none for the commands in WITHOUT."""
    if os.environ.get("EIOSNIFF_PURE") == "1" or WITHOUT & set(sys.argv):
        return []
    from mypyc.build import mypycify  # noqa: PLC0415  # only needed here

    files = sorted(path.as_posix() for pattern in COMPILED for path in Path().glob(pattern))
    wanted = [file for file in files if file not in NOT_COMPILED and not file.endswith("__init__.py")]
    made: list[Extension] = mypycify(wanted, opt_level=os.environ.get("EIOSNIFF_OPTIMISE", "3"), debug_level="0")
    for extension in made:
        extension.optional = True  # without a C compiler the package is installed all the same
    return made


setup(ext_modules=extensions())
