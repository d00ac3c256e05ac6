// SPDX-License-Identifier: GPL-2.0-or-later
// A Socket.IO server on an HTTP server on which something else handles upgrades, too. Its plan:
//   options   for the Server of socket.io
//   also      what comes second: {"ws": {...}}, the options of a WebSocketServer of the package ws
//             for the same HTTP server, or {"again": {...}}, those of another Server of socket.io
//   first     the other one is attached before, not after
"use strict";
const http = require("http");
const module_ = require("socket.io");
const { plan, log } = require("./plan");

const Server = module_.Server || module_;
const server = http.createServer();

const attach = () => {
  const io = new Server(server, plan.options);
  io.on("connection", (socket) => {
    log("connection");
    socket.on("disconnect", (reason) => log("disconnect:", reason));
    socket.on("hello", (word, answer) => {
      log("event hello", word);
      socket.emit("greeting", `${word} to you`);
      if (answer) {
        answer("well received");
      }
    });
  });
};

const attachOther = () => {
  if (plan.also.again) {
    new Server(server, plan.also.again);
  } else {
    const { WebSocketServer, Server: Old } = require("ws");
    new (WebSocketServer || Old)({ server, ...plan.also.ws }).on("connection", () => log("ws: connection"));
  }
};

if (plan.first) {
  attachOther();
  attach();
} else {
  attach();
  attachOther();
}
server.listen(3000, () => console.log("LISTENING"));
