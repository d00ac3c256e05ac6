// SPDX-License-Identifier: GPL-2.0-or-later
// A client that does all on one TCP connection, as arduinoWebSockets does: it polls once for the
// handshake and asks there for the WebSocket, without a look at what the answer says of the
// connection. Its plan:
//   host, rounds, everyMs  where to connect, how often, and how long to wait in between
//   thinkMs   from the answer to the poll to the request for the upgrade
//   strict    takes a 101 only if its header `Connection` is the one word `upgrade`
//   lifeMs    leaves a session so long after the upgrade
"use strict";
const crypto = require("crypto");
const net = require("net");
const { plan, log, sleep } = require("./plan");

const AGENT = "arduino-WebSocket-Client";
const PATH = "/socket.io/?EIO=4&transport=";
const COMMON = `Host: ${plan.host}:3000\r\nOrigin: file://\r\nUser-Agent: ${AGENT}\r\n`;

const frame = (text) =>
  Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);

const round = async () => {
  const socket = net.connect({ host: plan.host, port: 3000, allowHalfOpen: true });
  let read = Buffer.alloc(0);
  let wake = () => {};
  const closed = new Promise((resolve) => socket.on("close", resolve));
  socket.on("error", (error) => log("error:", error.code));
  socket.on("end", () => log("the server ended the connection"));
  socket.on("data", (data) => {
    read = Buffer.concat([read, data]);
    wake();
  });
  const until = async (isThere) => {
    while (!isThere()) {
      await new Promise((resolve) => (wake = resolve));
    }
  };
  const script = async () => {
    await new Promise((resolve) => socket.on("connect", resolve));
    socket.write(`GET ${PATH}polling HTTP/1.1\r\n${COMMON}Connection: keep-alive\r\n\r\n`);
    await until(() => /"sid":"[^"]+".*\}/.test(read.toString("latin1")));
    const sid = /"sid":"([^"]+)"/.exec(read.toString("latin1"))[1];
    read = Buffer.alloc(0);
    await sleep(plan.thinkMs || 0);
    const key = crypto.randomBytes(16).toString("base64");
    socket.write(
      `GET ${PATH}websocket&sid=${sid} HTTP/1.1\r\n${COMMON}Connection: Upgrade\r\n` +
        `Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
    );
    await until(() => read.includes("\r\n\r\n"));
    const head = read.toString("latin1").split("\r\n\r\n")[0];
    const connection = (/^connection: *(.*)$/im.exec(head) || ["", "absent"])[1];
    log(head.split("\r\n")[0], "Connection:", connection);
    if (plan.strict && connection.toLowerCase() !== "upgrade") {
      socket.destroy();
      return;
    }
    for (const text of ["2probe", "5", "40"]) {
      socket.write(frame(text));
    }
    await sleep(plan.lifeMs || 500);
    socket.end();
  };
  script();
  await Promise.race([closed, sleep(5000)]);
  socket.destroy();
};

(async () => {
  for (let i = 0; i < (plan.rounds || 1); i++) {
    await round();
    await sleep(plan.everyMs || 500);
  }
  process.exit(0);
})();
