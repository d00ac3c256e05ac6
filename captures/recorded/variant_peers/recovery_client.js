// SPDX-License-Identifier: GPL-2.0-or-later
// A client that wants its state back after a lost connection. Prints CONNECTED and whether it was
// recovered each time that both namespaces are connected; `bye` on stdin ends it in good order.

"use strict";

const readline = require("readline");
const { config, load, options } = require("./common.js");

const { Manager } = load("socket.io-client");
const manager = new Manager(config.url, { path: config.path, ...options });
const sockets = [manager.socket("/"), manager.socket("/admin")];
let news = 0;

for (const socket of sockets) {
  socket.on("news", () => console.log(`NEWS ${++news}`));
  socket.on("connect", () => {
    if (sockets.every((each) => each.connected)) {
      console.log(`CONNECTED ${sockets.map((each) => each.recovered).join(" ")}`);
    }
  });
}

readline.createInterface({ input: process.stdin }).on("line", (word) => {
  sockets[1].emit("hello", "still there 👋", () => {
    sockets[1].disconnect();
    sockets[0].disconnect();
    console.log(word);
    setTimeout(() => process.exit(0), 300);
  });
});
