"""What a JSON report counts: `python -m tests.bench.counts FILE`. Only its `counted` is for other modules.

Reports of thousands of sessions are large, and a process that measures others must be small (see `measure.run`).
"""

import json
import subprocess
import sys
from pathlib import Path


def counted(report: Path) -> dict[str, int]:
    """The counts, found in a process of its own; `socketio_packets` are those of the sessions that it lists."""
    command = [sys.executable, "-m", "tests.bench.counts", str(report)]
    counts: dict[str, int] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return counts


def main() -> None:
    """Print the counts as JSON."""
    report = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    summary = report["summary"]
    messages = [session["packets"][side]["socketio"] for session in report["sessions"] for side in ("client", "server")]
    counts = {
        "packets": report["captures"][0]["packets"],
        "connections": summary["connections"],
        "sessions": summary["sessions"],
        "socketio_packets": sum(sum(count.values()) for count in messages),
        "complaints": summary["errors"] + summary["warnings"],
    }
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
