// SPDX-License-Identifier: GPL-2.0-or-later
// A server with namespaces that let in some and refuse others, for every line of socket.io.

"use strict";

const http = require("http");
const { config, describe, load, log, options } = require("./common.js");

log.paused = true;
const library = load("socket.io");
const httpServer = http.createServer();
const io = new (library.Server || library)(httpServer, { path: config.path, ...options });
log.paused = false;

const serve = (socket) => {
  const sent = socket.handshake.query.token || (socket.handshake.auth || {}).token;
  socket.on("who", (ack) => ack(sent || null));
};

io.on("connection", serve);
io.of("/admin").on("connection", serve);
io.of(config.long_name).on("connection", serve);
io.of("/closed").use((socket, next) => {
  const refusal = new Error("닫혔습니다 🔒");
  refusal.data = { code: 403, retry: false };
  next(refusal);
});
if (io.eio && io.eio.initialPacket) {
  io.eio.on("connection", () => log(describe("server", { type: 0, nsp: "/" }, io.eio.initialPacket)));
}
httpServer.listen(config.port, "::", () => console.log("LISTENING"));
process.on("SIGTERM", () => process.exit(0));
