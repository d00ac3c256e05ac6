// SPDX-License-Identifier: GPL-2.0-or-later
// A WebSocket client over plain TCP that writes its frames byte by byte, right or wrong:
//   host      where to connect
//   eio       the revision that it asks for, 4 unless given
//   offers    the value of Sec-WebSocket-Extensions, none unless given
//   mutes     does not answer pings of Engine.IO
//   steps     ["expect", "40"]        waits for a message that begins so
//             ["text", "40"]          a text frame as it should be
//             ["frame", {opcode: 1, fin: true, rsv: 0, masked: true, key: "11223344", text, latin1, hex}]
//                                     one as it is described; all that is not said is as it should be
//             ["times", n, step]      a step so often
//             ["wait", ms]
// After its steps it waits for the server to close, at most patienceMs, then leaves.
"use strict";
const net = require("net");
const { plan, log, sleep } = require("./plan");

const frame = ({ opcode = 1, fin = true, rsv = 0, masked = true, key = "11223344", text = "", latin1, hex }) => {
  const content = hex ? Buffer.from(hex, "hex") : Buffer.from(latin1 || text, latin1 ? "latin1" : "utf8");
  const { length } = content;
  const bit = masked ? 0x80 : 0;
  const size = length < 126 ? [bit | length] : [bit | 126, length >> 8, length & 255];
  const mask = Buffer.from(key, "hex");
  const payload = masked ? content.map((byte, at) => byte ^ mask[at % 4]) : content;
  return Buffer.from([(fin ? 0x80 : 0) | (rsv << 4) | opcode, ...size, ...(masked ? mask : []), ...payload]);
};

const socket = net.connect(3000, plan.host).setNoDelay();
const closed = new Promise((resolve) => socket.on("close", resolve));
const texts = [];
let bytes = Buffer.alloc(0);
let accepted = false;

const hear = (opcode, payload) => {
  if (opcode === 8) {
    const code = payload.length ? `code ${payload.readUInt16BE(0)} ${payload.subarray(2)}` : "no code";
    log("the server closes:", code);
    socket.end();
  } else if (opcode === 1 && String(payload) === "2" && !plan.mutes) {
    socket.write(frame({ text: "3" }));
  } else {
    texts.push(String(payload));
  }
};

socket.on("data", (data) => {
  bytes = Buffer.concat([bytes, data]);
  if (!accepted) {
    const end = bytes.indexOf("\r\n\r\n");
    if (end < 0) {
      return;
    }
    accepted = true;
    bytes = bytes.subarray(end + 4);
  }
  while (bytes.length >= 2) {
    const long = bytes[1] === 126;
    if (long && bytes.length < 4) {
      return;
    }
    const start = long ? 4 : 2;
    const end = start + (long ? bytes.readUInt16BE(2) : bytes[1]);
    if (bytes.length < end) {
      return;
    }
    hear(bytes[0] & 15, bytes.subarray(start, end));
    bytes = bytes.subarray(end);
  }
});
socket.on("error", (error) => log("error:", error.code));
socket.on("end", () => log("the server ends the connection"));

const act = {
  expect: async (start) => {
    while (!texts.some((text) => text.startsWith(start)) && !socket.destroyed) {
      await sleep(10);
    }
  },
  text: (text) => socket.write(frame({ text })),
  frame: (given) => socket.write(frame(given)),
  times: async (times, [verb, ...words]) => {
    for (let i = 0; i < times; i++) {
      await act[verb](...words);
    }
  },
  wait: sleep,
};

(async () => {
  const offers = plan.offers ? `Sec-WebSocket-Extensions: ${plan.offers}\r\n` : "";
  socket.write(
    `GET /socket.io/?EIO=${plan.eio || 4}&transport=websocket HTTP/1.1\r\nHost: ${plan.host}:3000\r\n` +
      "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
      `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${offers}\r\n`
  );
  for (const [verb, ...words] of plan.steps) {
    if (socket.writable) {
      await act[verb](...words);
    }
  }
  await Promise.race([closed, sleep(plan.patienceMs || 1000)]);
  socket.end();
  await sleep(200);
  process.exit(0);
})();
