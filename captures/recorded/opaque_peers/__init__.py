# SPDX-License-Identifier: GPL-2.0-or-later
"""Peers of recordings over TLS, of which nothing is in clear."""
