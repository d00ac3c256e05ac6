"""`python -m tests.accuracy`: print how often the rules are right, and write `docs/accuracy.md` (`make score`)."""

import sys

from tests.accuracy import measure
from tests.accuracy.page import PAGE, page
from tests.cases import HAS_TSHARK


def main() -> int:
    """Returns the exit code: 1 if the rules are wrong anywhere, 2 if not all recordings can be read."""
    if not HAS_TSHARK:
        print("tshark is not installed, and some recordings need it: install it, then run this again", file=sys.stderr)
        return 2
    accuracy = measure()
    text = page(accuracy)
    print(text)
    PAGE.write_text(text, encoding="utf-8")
    return 1 if accuracy.mistakes else 0


if __name__ == "__main__":
    sys.exit(main())
