// SPDX-License-Identifier: GPL-2.0-or-later
// socket.io-client 0.9.17 in Node. Ends with 0 if all that it expected has happened.

"use strict";

const assert = require("assert");
const { config, watch } = require("./common.js");

const io = require("socket.io-client");
watch(io.parser, "client");

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const heard = (socket, name) => new Promise((resolve) => socket.once(name, resolve));
const call = (socket, ...args) => new Promise((resolve) => socket.emit(...args, (...reply) => resolve(reply)));

const main = async () => {
  const socket = io.connect(config.url, { reconnect: false, ...config.options });
  if (config.refused) {
    console.log("REFUSED", await heard(socket, "error"));
    process.exit(0);
  }
  socket.on("error", (reason) => console.log("ERROR", reason));
  socket.on("question", (text, reply) => reply("민수 " + text.length));
  // What is sent before the connection is there goes in one payload.
  const early = [call(socket, "ask", "먼저 🥇"), heard(socket, "welcome"), heard(socket, "heard")];
  socket.send("하나: 1 🍵");
  await heard(socket, "connect");
  await Promise.all(early);
  const [reply, more] = await call(socket, "ask", "뭐 해요? €");
  assert.equal(reply, "답: 뭐 해요? €");
  assert.equal(more.length, 7);
  await new Promise((resolve) => socket.json.send({ what: "json", 값: [1.5, true] }, resolve));
  const named = heard(socket, "name");
  socket.emit("question me");
  assert.equal(await named, "민수 11");
  const chat = socket.of("/chat");
  await heard(chat, "connect");
  const said = heard(chat, "chat message");
  chat.emit("chat message", "안녕 👋");
  assert.equal(await said, "안녕 👋");
  const secret = socket.of("/secret");
  const refused = heard(secret, "connect_failed");
  assert.equal(await refused, "unauthorized");
  await sleep(config.silence_ms);
  chat.packet({ type: "disconnect" });
  await sleep(100);
  socket.disconnect();
  await sleep(300);
  console.log("DONE");
  process.exit(0);
};

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
