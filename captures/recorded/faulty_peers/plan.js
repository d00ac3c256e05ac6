// SPDX-License-Identifier: GPL-2.0-or-later
// What the peers written for Node share: the plan they are given and the way they report.
"use strict";

// The plan of a peer: its first argument, a JSON object.
exports.plan = JSON.parse(process.argv[2] || "{}");

// Lines that start with LOG are kept in the index of the recordings, as the peer's own testimony.
exports.log = (...words) => console.log("LOG", ...words);

exports.sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
