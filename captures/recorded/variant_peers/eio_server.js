// SPDX-License-Identifier: GPL-2.0-or-later
// A plain application on Engine.IO, for every line of engine.io: sends each message back, and says
// something by itself. Each message that it sends goes to the truth.

"use strict";

const http = require("http");
const { binary, config, logged } = require("./eio_common.js");

const engine = require("engine.io");
const httpServer = http.createServer();
const server = engine.attach(httpServer, { path: config.path, ...config.options });

server.on("connection", (socket) => {
  const send = logged("server", (data) => socket.send(data));
  send("서버 🖥️ says hello");
  if (config.binary) send(binary(33));
  socket.on("message", (data = "") => send(data)); // an empty text comes as undefined
});
httpServer.listen(config.port, "::", () => console.log("LISTENING"));
process.on("SIGTERM", () => process.exit(0));
