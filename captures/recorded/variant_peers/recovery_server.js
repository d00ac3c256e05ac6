// SPDX-License-Identifier: GPL-2.0-or-later
// A server that keeps the state of lost connections. Does what stdin says and repeats it when done:
// `news` broadcasts an event to both namespaces, `close` ends the transports of all clients.

"use strict";

const http = require("http");
const readline = require("readline");
const { config, load, log, options } = require("./common.js");

const { Server } = load("socket.io");
const httpServer = http.createServer();
const io = new Server(httpServer, { path: config.path, ...options });
let number = 0;

for (const namespace of ["/", "/admin"]) {
  io.of(namespace).on("connection", (socket) => socket.on("hello", (text, ack) => ack(text)));
}

const commands = {
  news: () => {
    number += 1;
    for (const namespace of ["/", "/admin"]) {
      // A broadcast to nobody is encoded all the same.
      log.paused = io.of(namespace).sockets.size === 0;
      io.of(namespace).emit("news", `소식 ${number} 📰`);
      log.paused = false;
    }
  },
  close: () => {
    for (const socket of io.sockets.sockets.values()) socket.conn.close();
  },
};

readline.createInterface({ input: process.stdin }).on("line", (word) => {
  commands[word]();
  console.log(word);
});
httpServer.listen(config.port, "::", () => console.log("LISTENING"));
process.on("SIGTERM", () => process.exit(0));
