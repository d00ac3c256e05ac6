// SPDX-License-Identifier: GPL-2.0-or-later
// The server of the healthy recordings, for every line of socket.io.

"use strict";

const http = require("http");
const { blob, config, load, report, writeTruth } = require("./healthy_common.js");

const serve = (socket) => {
  socket.on("hello", (text, ack) => ack(text));
  socket.on("note", () => {});
  socket.on("ask back", (ack) => socket.emit("question", "이름이 뭐예요? 🙋", (answer) => ack(answer)));
  socket.on("picture", (picture, ack) => ack({ bytes: picture.pixels.length, thumb: blob(300) }));
  socket.on("send frames", (ack) => {
    socket.emit("frames", [blob(256), blob(1)], { last: blob(1500) }, (reply) => ack(reply.length));
  });
  socket.on("report", (text, ack) => ack(text.length));
  socket.on("send report", (ack) => socket.emit("report", report(config.report), (n) => ack(n)));
};

load.starting = true;
const module_ = load("socket.io");
const httpServer = http.createServer();
const io = new (module_.Server || module_)(httpServer, { path: config.path, ...config.options });
load.starting = false;

io.on("connection", serve);
io.of("/admin").on("connection", serve);
if (io.eio && io.eio.initialPacket) {
  io.eio.on("connection", () => writeTruth({ nsp: "/" }, io.eio.initialPacket));
}
httpServer.listen(config.port, "::", () => console.log("LISTENING"));
process.on("SIGTERM", () => process.exit(0));
