// SPDX-License-Identifier: GPL-2.0-or-later
// What both Node peers of the healthy recordings share: the data they send and the truth they log.
// The Python peers send the same, see healthy_common.py.

"use strict";

const crypto = require("crypto");
const fs = require("fs");
const path = require("path");

const TYPES = ["CONNECT", "DISCONNECT", "EVENT", "ACK", "CONNECT_ERROR", "BINARY_EVENT", "BINARY_ACK"];

const config = JSON.parse(process.argv[2]);

// 23 is odd, so that 256 bytes in a row hold every value once.
const blob = (size) => Buffer.from(Array.from({ length: size }, (_, i) => (i * 23 + size) & 255));

const report = (size) => {
  let text = "";
  for (let line = 1; text.length < size; line++) text += `${line}: 온도 21.5 °C, all is well 🙂\n`;
  return text;
};

const writeTruth = (packet, encoded) => {
  const type = TYPES[Number(encoded[0][0])];
  const attachments = encoded.slice(1).map((data) => ({
    bytes: data.length,
    sha256: crypto.createHash("sha256").update(data).digest("hex"),
  }));
  const line = {
    time: (performance.timeOrigin + performance.now()) / 1000,
    side: config.side,
    type,
    namespace: packet.nsp || "/",
    id: packet.id === undefined ? null : packet.id,
    event: type.endsWith("EVENT") ? packet.data[0] : null,
    attachments,
  };
  fs.appendFileSync(config.truth, JSON.stringify(line) + "\n");
};

// Loads `library` from NODE_PATH and logs each packet that the parser which it uses encodes.
const load = (library) => {
  const folder = path.dirname(require.resolve(library));
  const { Encoder } = require(require.resolve("socket.io-parser", { paths: [folder] }));
  const { encode } = Encoder.prototype;
  Encoder.prototype.encode = function (packet, callback) {
    if (!callback) {
      const encoded = encode.call(this, packet);
      writeTruth(packet, encoded);
      return encoded;
    }
    return encode.call(this, packet, (encoded) => {
      // socket.io 2 encodes the CONNECT of "/" once at start, before a client is there to get it.
      if (!load.starting) writeTruth(packet, encoded);
      callback(encoded);
    });
  };
  return require(library);
};
load.starting = false;

module.exports = { blob, config, load, report, writeTruth };
