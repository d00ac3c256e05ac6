// SPDX-License-Identifier: GPL-2.0-or-later
// A client of socket.io 0.9: events with acks both ways, text and JSON messages, a namespace.

"use strict";

const { config, watch } = require("./v09_common.js");
const { sleep, TEXTS: texts } = require("./conversation.js");

const io = require("socket.io-client");
watch(io.parser, "client");
io.transports = config.options.transports; // the options of a connection would be merged into it

// It does not find the data of an ack that holds U+2028, as its regular expression stops there.
const TEXTS = texts.slice(0, 2);

const call = (socket, ...args) => new Promise((resolve) => socket.emit(...args, resolve));
const once = (socket, name) => new Promise((resolve) => socket.once(name, resolve));

const converse = async (socket) => {
  socket.on("question", (text, ack) => ack(`답: ${text}`));
  const echoes = await Promise.all(TEXTS.map((text) => call(socket, "hello", text)));
  TEXTS.forEach((text, i) => {
    if (echoes[i] !== text) throw new Error(`expected ${text}, found ${echoes[i]}`);
  });
  await call(socket, "ask back");
  socket.send("plain text 👋");
  await once(socket, "message");
  socket.json.send({ 온도: 21.5, list: [1, null] });
  await once(socket, "message");
};

const main = async () => {
  const options = { reconnect: false, "force new connection": true };
  const root = io.connect(config.url, options);
  root.on("error", (error) => {
    console.error(error);
    process.exit(1);
  });
  await once(root, "connect");
  let heartbeats = 0;
  const { onPacket } = root.socket.transport.constructor.prototype;
  root.socket.transport.onPacket = function (packet) {
    heartbeats += packet.type === "heartbeat";
    return onPacket.call(this, packet);
  };
  await converse(root);
  const admin = root.socket.of("/admin");
  admin.packet({ type: "connect" });
  await once(admin, "connect");
  await converse(admin);
  await sleep(config.silence_ms);
  console.log(JSON.stringify({ heartbeats, transport: root.socket.transport.name }));
  admin.disconnect();
  await sleep(200);
  root.disconnect();
  setTimeout(() => process.exit(0), 500);
};

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
