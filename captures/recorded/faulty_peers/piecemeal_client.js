// SPDX-License-Identifier: GPL-2.0-or-later
// A WebSocket client by hand that writes each frame in pieces, as libraries for small boards do: the header, "42", and
// the rest. Its plan: {"host", "port", "events", "everyMs", "noDelay"}; it waits for each acknowledgement.
"use strict";
const net = require("net");
const { plan, log, sleep } = require("./plan");

const socket = net.connect({ host: plan.host, port: plan.port || 3000, noDelay: Boolean(plan.noDelay) });
let heard = "";
let wake = () => {};
socket.on("data", (data) => {
  heard += data.toString("latin1");
  wake();
});
socket.on("close", () => process.exit(0));

const hears = async (text) => {
  while (!heard.includes(text)) {
    await new Promise((resolve) => (wake = resolve));
  }
  heard = "";
};

const says = async (...pieces) => {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  socket.write(Buffer.from([0x81, 0x80 | length, 0, 0, 0, 0])); // a mask of zeros
  for (const piece of pieces) {
    await sleep(1);
    socket.write(piece);
  }
};

(async () => {
  socket.write(
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: server\r\nConnection: Upgrade\r\n" +
      "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n",
  );
  await hears("0{");
  await says("40");
  await hears("40{");
  for (let i = 0; i < plan.events; i++) {
    await says("42", `${i}["hello","word ${i}"]`);
    await hears(`43${i}[`);
    await sleep(plan.everyMs);
  }
  log("all acknowledged");
  await says("1");
  socket.end();
})();
