"""What knows everything: it joins sources, decoders, rules and knowledge into a report.

`setting` is what the user chose; `reading` feeds a capture to its decoders, in one or two `passes`; `analysis` makes a
report of it, `decoding` a stream of packets, `comparing` a comparison of two conversations.
"""

from eiosniff.app.analysis import Analysis, ReportWriter, analyze
from eiosniff.app.comparing import compare
from eiosniff.app.decoding import decode
from eiosniff.app.reading import check_links, measure
from eiosniff.app.setting import Options, Progress, chosen_rules, rules

__all__ = [
    "Analysis",
    "Options",
    "Progress",
    "ReportWriter",
    "analyze",
    "check_links",
    "chosen_rules",
    "compare",
    "decode",
    "measure",
    "rules",
]
