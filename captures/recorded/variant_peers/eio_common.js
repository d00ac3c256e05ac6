// SPDX-License-Identifier: GPL-2.0-or-later
// What both sides of a plain Engine.IO application share: their data, and the truth: a line for each
// message that a side sends, with the size and hash of its UTF-8 or bytes.

"use strict";

const crypto = require("crypto");
const fs = require("fs");
const { blob, config } = require("../peers/healthy_common.js");
const { TEXTS } = require("./conversation.js");

const logged = (side, send) => (data) => {
  const text = typeof data === "string";
  const bytes = Buffer.from(data);
  const line = {
    time: (performance.timeOrigin + performance.now()) / 1000,
    side,
    type: "message",
    binary: !text,
    bytes: bytes.length,
    sha256: crypto.createHash("sha256").update(bytes).digest("hex"),
  };
  fs.appendFileSync(config.truth, JSON.stringify(line) + "\n");
  send(data);
};

module.exports = { binary: blob, config, logged, TEXTS };
