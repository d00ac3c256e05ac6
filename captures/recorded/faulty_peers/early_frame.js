// SPDX-License-Identifier: GPL-2.0-or-later
// A client on one TCP connection that sends an event before its handshake is through, as a device
// does whose loop() sends while the library still waits for the server:
//   host     where to connect
//   early    the answer that it does not wait for: that to "polling", to the "upgrade" which it asks
//            for on the same connection, with the sid that the first one gave it, or to "websocket",
//            which it asks for without a session
//   rounds   how often, everyMs apart
"use strict";
const net = require("net");
const { plan, log, sleep } = require("./plan");

const BASE = "/socket.io/?EIO=4&transport=";
const EVENT = '42["hello","early"]';
const KEY =
  "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";

const asks = (transport, more = "") =>
  `GET ${BASE}${transport} HTTP/1.1\r\nHost: ${plan.host}:3000\r\n${more}\r\n`;

const frame = (text) => Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0, ...Buffer.from(text)]);

const round = async () => {
  const socket = net.connect(3000, plan.host).setNoDelay();
  const closed = new Promise((resolve) => socket.on("close", resolve));
  let heard = "";
  const send = (request) => {
    socket.write(request);
    socket.write(frame(EVENT));
  };
  socket.on("data", (data) => {
    heard += data.toString("latin1");
    const opened = /"sid":"([^"]+)"/.exec(heard);
    if (plan.early === "upgrade" && opened) {
      send(asks(`websocket&sid=${opened[1]}`, KEY));
      heard = "";
    }
  });
  socket.on("error", (error) => log("error:", error.code));
  if (plan.early === "upgrade") {
    socket.write(asks("polling"));
  } else {
    send(asks(plan.early, plan.early === "websocket" ? KEY : ""));
  }
  await Promise.race([closed, sleep(3000)]);
  log("heard:", heard.split("\r\n")[0]);
  socket.destroy();
};

(async () => {
  for (let i = 0; i < (plan.rounds || 1); i++) {
    await round();
    await sleep(plan.everyMs || 0);
  }
  process.exit(0);
})();
