// SPDX-License-Identifier: GPL-2.0-or-later
// A server of socket.io 0.9.

"use strict";

const http = require("http");
const { config, watch } = require("./v09_common.js");

const library = require("socket.io");
watch(library.parser, "server");
const httpServer = http.createServer();
const io = library.listen(httpServer, { "log level": 1, ...config.options });

const serve = (socket) => {
  socket.on("hello", (text, ack) => ack(text));
  socket.on("ask back", (ack) => socket.emit("question", "이름이 뭐예요? 🙋", (answer) => ack(answer)));
  socket.on("message", (message) => {
    if (typeof message === "string") socket.send(message);
    else socket.json.send(message);
  });
};

io.sockets.on("connection", serve);
io.of("/admin").on("connection", serve);
httpServer.listen(config.port, () => console.log("LISTENING"));
process.on("SIGTERM", () => process.exit(0));
