// SPDX-License-Identifier: GPL-2.0-or-later
// A server as the protocol test suites of Socket.IO want it: it sends back what it gets.
//
//   node suites_server.js '{"library": "engine.io" or "socket.io", "port": ..., "options": {...}}'

"use strict";

const config = JSON.parse(process.argv[2]);
const ready = () => console.log("LISTENING");
const http = require("http").createServer();

if (config.library === "engine.io") {
  // Only 6.x says whether a message is binary; 3.x wants no options that are undefined.
  const echo = (socket) => socket.on("data", (...data) => socket.send(...data));
  require("engine.io").attach(http, config.options).on("connection", echo);
} else {
  const io = require("socket.io")(http, config.options);
  const greet = (socket) => socket.emit("auth", socket.handshake.auth);
  io.of("/custom").on("connection", greet);
  io.on("connection", (socket) => {
    greet(socket);
    socket.on("message", (...values) => socket.emit("message-back", ...values));
    socket.on("message-with-ack", (...values) => values.pop()(...values));
  });
}
http.listen(config.port, ready);
