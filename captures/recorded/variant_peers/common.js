// SPDX-License-Identifier: GPL-2.0-or-later
// What the Node peers of the variants share: the truth that they log, and the libraries as the
// configuration wants them.

"use strict";

const crypto = require("crypto");
const fs = require("fs");
const path = require("path");
const { blob: pooled, config } = require("../peers/healthy_common.js");
const { describe, watch } = require("./conversation.js");

// socket.io 1.0 was made for Buffers that have no `buffer`, and sends zeros in place of newer ones.
const blob = (size) => {
  const made = pooled(size);
  if (config.old_buffers) Object.defineProperty(made, "buffer", { value: undefined });
  return made;
};

const digest = (data) => ({
  bytes: data.byteLength,
  sha256: crypto.createHash("sha256").update(Buffer.from(data)).digest("hex"),
});

const log = (line) => {
  if (log.paused) return;
  const written = { ...line, attachments: line.attachments.map(digest) };
  if (line.binary) written.binary = line.binary.map(digest);
  fs.appendFileSync(config.truth, JSON.stringify(written) + "\n");
};
log.paused = false;

// The parser that `library` is to use: another package, or its own socket.io-parser.
const parserOf = (library) => {
  if (config.parser) return require(config.parser);
  const folder = path.dirname(require.resolve(library));
  return require(require.resolve("socket.io-parser", { paths: [folder] }));
};

// Loads `library` from NODE_PATH; each packet that its parser encodes goes to the truth.
const load = (library) => {
  watch(parserOf(library).Encoder.prototype, config.side, log);
  return require(library);
};

const options = { ...config.options };
if (config.parser) options.parser = require(config.parser);

module.exports = { blob, config, describe, load, log, options };
