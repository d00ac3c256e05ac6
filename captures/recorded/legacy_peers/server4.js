// SPDX-License-Identifier: GPL-2.0-or-later
// A server of socket.io 4, for clients of 0.9 and of its own generation.

"use strict";

const { Server } = require("socket.io");

const config = JSON.parse(process.argv[2]);
new Server(config.port, { cors: { origin: "*" }, ...config.options }).on("connection", (socket) => {
  socket.on("ask", (text, reply) => reply(`re: ${text}`));
});
console.log("LISTENING");
