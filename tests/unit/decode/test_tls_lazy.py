"""What decrypts is loaded for nobody who has no secrets."""

import subprocess
import sys

from tests.streams import RECORDED

SCRIPT = """
import sys
from eiosniff import app
app.analyze([sys.argv[1]], app.Options())
print('cryptography' in sys.modules)
"""


def loads(name: str) -> str:
    argv = [sys.executable, "-c", SCRIPT, str(RECORDED / name)]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


def test_the_library_is_loaded_with_the_first_secret_that_fits() -> None:
    assert loads("encrypted/wss-tls-1.3.pcap") == "False"
    assert loads("undecrypted/keys-of-others.pcapng") == "False"
    assert loads("tls/python-tls-1.3.pcapng") == "True"
