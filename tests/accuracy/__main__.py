"""`python -m tests.accuracy`: print how often the rules are right, and write `docs/accuracy.md` (`make score`)."""

import sys

from tests.accuracy import measure
from tests.accuracy.page import PAGE, page


def main() -> int:
    """Returns the exit code: 1 if the rules are wrong anywhere."""
    accuracy = measure()
    text = page(accuracy)
    print(text)
    PAGE.write_text(text, encoding="utf-8")
    return 1 if accuracy.mistakes else 0


if __name__ == "__main__":
    sys.exit(main())
