# SPDX-License-Identifier: GPL-2.0-or-later
"""What `record_faulty.py` records, and with whom.

A *peer* is a program of one version that serves or visits; what it has to do is its *plan*, a JSON
object. A *recording* names the two peers, their plans, and what the capture must show and must
lack. A *stage* is the laboratory of one recording while it is made. The *scenarios* are grouped by
theme, one module each; what several themes share is in `peers`, `plans`, `plays` (ways to play a
recording), `boxes` (proxies) and `wire` (display filters).
"""
