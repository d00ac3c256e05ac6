"""`python -m tests.golden`: write the golden files anew (`make golden`)."""

from tests.golden import write

if __name__ == "__main__":
    write()
