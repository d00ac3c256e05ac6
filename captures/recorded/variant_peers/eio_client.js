// SPDX-License-Identifier: GPL-2.0-or-later
// The client of eio_server.js, for every line of engine.io-client.

"use strict";

const { binary, config, logged, TEXTS } = require("./eio_common.js");
const { sleep } = require("./conversation.js");

const library = require("engine.io-client");
const Socket = library.Socket || library;
const socket = new Socket(config.url, { path: config.path, ...config.options });
const send = logged("client", (data) => socket.send(data));
let heartbeats = 0;
let received = 0;
let wanted = config.binary ? 2 : 1;
let news = () => {};

socket.on("packet", ({ type }) => (heartbeats += type === "ping" || type === "pong"));
socket.on("error", (error) => {
  console.error(error);
  process.exit(1);
});
socket.on("message", () => {
  received += 1;
  news();
});

const answers = async () => {
  while (received < wanted) await new Promise((resolve) => (news = resolve));
};

const exchange = async (...all) => {
  wanted += all.length;
  for (const data of all) send(data);
  await answers();
};

const main = async () => {
  await new Promise((resolve) => socket.on("open", resolve));
  if (config.upgrades) await new Promise((resolve) => socket.on("upgrade", resolve));
  await answers();
  await exchange(...TEXTS);
  if (config.binary) {
    await exchange(binary(256));
    // Text and binary in one payload, empty ones too.
    await exchange("before 👋", binary(3), "", binary(0), "after");
  }
  await sleep(config.silence_ms);
  await exchange("still there");
  console.log(JSON.stringify({ heartbeats, transport: socket.transport.name }));
  socket.close();
  setTimeout(() => process.exit(0), 500);
};

main();
