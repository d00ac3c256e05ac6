// SPDX-License-Identifier: GPL-2.0-or-later
// The client of the healthy recordings, for every line of socket.io-client. Ends with 0 if all that
// it expected has happened, and prints what it knows about the session as one line of JSON.

"use strict";

const assert = require("assert");
const { blob, config, load, report } = require("./healthy_common.js");

const { Manager } = load("socket.io-client");

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const connected = (socket) =>
  new Promise((resolve, reject) => {
    for (const name of ["error", "connect_error"]) socket.on(name, reject);
    socket.on("connect", resolve);
  });

const call = (socket, ...args) => new Promise((resolve) => socket.emit(...args, resolve));

const listen = (socket) => {
  socket.on("question", (text, ack) => ack(`답: ${text}`));
  socket.on("frames", (frames, more, ack) => ack(Buffer.concat([...frames, more.last])));
  socket.on("report", (text, ack) => ack(text.length));
};

const converse = async (socket) => {
  assert.equal(await call(socket, "hello", "안녕하세요 👋🏽 𝄞 €"), "안녕하세요 👋🏽 𝄞 €");
  assert.equal(await call(socket, "ask back"), "답: 이름이 뭐예요? 🙋");
  socket.emit("note", { temperature: 21.5, tags: ["방", "🌡️"], none: null });
  const picture = { pixels: blob(1500), palette: [blob(256), blob(3)], name: "그림.png" };
  const reply = await call(socket, "picture", picture);
  assert.equal(reply.bytes, 1500);
  assert(blob(300).equals(Buffer.from(reply.thumb)));
  assert.equal(await call(socket, "send frames"), 256 + 1 + 1500);
};

const main = async () => {
  const manager = new Manager(config.url, {
    path: config.path,
    reconnection: false,
    ...config.options,
  });
  const root = manager.socket("/");
  listen(root);
  await connected(root);
  let heartbeats = 0;
  // The server's ping in revision 4, its pong in revision 3: each comes once in a heartbeat.
  manager.engine.on("packet", ({ type }) => (heartbeats += type === "ping" || type === "pong"));
  await converse(root);
  const admin = manager.socket("/admin");
  listen(admin);
  await connected(admin);
  await converse(admin);
  if (config.report) {
    const text = report(config.report);
    for (let round = 0; round < config.rounds; round++) {
      assert.equal(await call(root, "report", text), text.length);
      assert.equal(await call(root, "send report"), text.length);
    }
  }
  await sleep(config.silence_ms);
  assert.equal(await call(root, "hello", "still there"), "still there");
  const transport = manager.engine.transport.name;
  console.log(JSON.stringify({ heartbeats, transport }));
  admin.disconnect();
  root.disconnect(); // node ends by itself when the last request is answered
};

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
