"""`python -m tests.accuracy`: print how often the rules are right, and write `docs/accuracy.md` (`make score`).

With `--check`, it writes nothing and fails if the page is stale or anything is wrong.
"""

import sys

from tests.accuracy import measure
from tests.accuracy.page import PAGE, page


def main() -> int:
    """Returns the exit code: 1 if the rules are wrong anywhere, or the page is stale where it is only checked."""
    accuracy = measure()
    text = page(accuracy)
    print(text)
    stale = not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text
    if stale and "--check" in sys.argv:
        print(f"{PAGE.name} is stale: run `make score`", file=sys.stderr)
        return 1
    if stale:
        PAGE.write_text(text, encoding="utf-8")
    return 1 if accuracy.mistakes else 0


if __name__ == "__main__":
    sys.exit(main())
