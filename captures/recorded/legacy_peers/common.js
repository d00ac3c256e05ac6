// SPDX-License-Identifier: GPL-2.0-or-later
// What the peers of the recordings of Socket.IO 0.9 have in common: the log of all packets that a side sends.

"use strict";

const fs = require("fs");

const config = JSON.parse(process.argv[2]);

const log = (line) => fs.appendFileSync(config.truth, JSON.stringify({ time: Date.now(), ...line }) + "\n");

// Log what a parser of 0.9 encodes, which is what its side sends: `text` is the packet as it is on the wire.
const watch = (parser, side) => {
  const encode = parser.encodePacket;
  parser.encodePacket = (packet) => {
    const text = encode(packet);
    log({ side, type: packet.type, endpoint: packet.endpoint || "", text });
    return text;
  };
};

module.exports = { config, log, watch };
