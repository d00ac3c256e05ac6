// SPDX-License-Identifier: GPL-2.0-or-later
// What both peers of socket.io 0.9 share: the truth, a line for each packet that is encoded.

"use strict";

const fs = require("fs");
const { config } = require("../peers/healthy_common.js");

// From now on each packet that `parser` encodes is logged, as it goes over the wire.
const watch = (parser, side) => {
  const { encodePacket } = parser;
  parser.encodePacket = (packet) => {
    const encoded = encodePacket(packet);
    const line = {
      time: (performance.timeOrigin + performance.now()) / 1000,
      side,
      type: packet.type,
      endpoint: packet.endpoint || "",
      id: packet.id ? Number(packet.id) : null,
      event: packet.type === "event" ? packet.name : null,
      encoded,
    };
    fs.appendFileSync(config.truth, JSON.stringify(line) + "\n");
    return encoded;
  };
};

module.exports = { config, watch };
