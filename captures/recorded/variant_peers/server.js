// SPDX-License-Identifier: GPL-2.0-or-later
// The server of the variants, for every line of socket.io since 1.0.

"use strict";

const http = require("http");
const { blob, config, describe, load, log, options } = require("./common.js");

const serve = (socket) => {
  socket.on("hello", (text, ack) => ack(text));
  socket.on("values", () => {});
  socket.on("ask back", (ack) => socket.emit("question", "이름이 뭐예요? 🙋", (answer) => ack(answer)));
  socket.on("picture", (picture, ack) => ack({ bytes: picture.pixels.length, thumb: blob(100) }));
  socket.on("send frames", (ack) => {
    socket.emit("frames", [blob(256), blob(1)], { last: blob(400) }, (reply) => ack(reply.length));
  });
};

// socket.io 2 encodes the CONNECT of "/" once at start, before a client is there to get it.
log.paused = true;
const library = load("socket.io");
const httpServer = http.createServer();
const io = new (library.Server || library)(httpServer, { path: config.path, ...options });
log.paused = false;

io.on("connection", serve);
io.of("/admin").on("connection", serve);
if (io.eio && io.eio.initialPacket) {
  io.eio.on("connection", () => log(describe("server", { type: 0, nsp: "/" }, io.eio.initialPacket)));
}
httpServer.listen(config.port, "::", () => console.log("LISTENING"));
process.on("SIGTERM", () => process.exit(0));
