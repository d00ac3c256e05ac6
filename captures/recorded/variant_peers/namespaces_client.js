// SPDX-License-Identifier: GPL-2.0-or-later
// A client that joins several namespaces over one connection, with queries and auth, and is refused
// by two of them.

"use strict";

const { config, load, options } = require("./common.js");
const { call, connected, sleep } = require("./conversation.js");

const { Manager } = load("socket.io-client");

const refused = (socket) =>
  new Promise((resolve) => {
    for (const name of ["error", "connect_error"]) socket.on(name, resolve);
  });

const main = async () => {
  const manager = new Manager(config.url, { path: config.path, reconnection: false, ...options });
  let heartbeats = 0;
  const socket = (name, more) => manager.socket(name, more);
  const all = [
    socket("/"),
    socket("/admin", { query: { token: "비밀/🔑&?" }, auth: { token: "비밀 🔑" } }),
    socket(config.long_name),
  ];
  await Promise.all(all.map(connected));
  manager.engine.on("packet", ({ type }) => (heartbeats += type === "ping" || type === "pong"));
  await Promise.all(all.map((each) => call(each, "who")));
  await refused(socket("/closed"));
  await refused(socket("/nowhere"));
  await sleep(config.silence_ms);
  all[2].disconnect();
  await call(all[0], "who");
  all[1].disconnect();
  all[0].disconnect();
  console.log(JSON.stringify({ heartbeats, transport: manager.engine.transport.name }));
  manager.close && setTimeout(() => manager.close(), 300); // those refused still count as in use
  setTimeout(() => process.exit(0), 1500).unref();
};

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
