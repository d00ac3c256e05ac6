// SPDX-License-Identifier: GPL-2.0-or-later
// socket.io-client 4 at a server of 0.9, which does not understand it, or at one of its own generation.

"use strict";

const { io } = require("socket.io-client");

const config = JSON.parse(process.argv[2]);
const socket = io(config.url, config.options);
socket.on("connect_error", (error) => console.log("REFUSED", error.message));
socket.emit("ask", "understood?", (text) => console.log("UNDERSTOOD", text));
setTimeout(() => {
  socket.disconnect();
  setTimeout(process.exit, 300, 0);
}, config.silence_ms);
