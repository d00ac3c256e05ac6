// SPDX-License-Identifier: GPL-2.0-or-later
// A Socket.IO server on an HTTP server on which something else handles upgrades, too. Its plan:
//   options   for the Server of socket.io
//   also      what comes second: {"ws": {...}}, the options of a WebSocketServer of the package ws
//             for the same HTTP server (with noServer it is given what is for its path only), or
//             {"again": {...}}, those of another Server of socket.io
"use strict";
const http = require("http");
const module_ = require("socket.io");
const { plan, log, answers } = require("./plan");
const WebSocket = plan.also.ws && require("ws");

const Server = module_.Server || module_;
const server = http.createServer();

const attachOther = () => {
  if (plan.also.again) {
    new Server(server, plan.also.again).on("connection", answers);
    return;
  }
  const { noServer, ...options } = plan.also.ws;
  const ws = new WebSocket.Server(noServer ? { noServer, ...options } : { server, ...options });
  ws.on("connection", (socket) => {
    log("ws: connection");
    socket.on("error", (error) => log("ws:", error.message));
  });
  if (noServer) {
    server.on("upgrade", (request, socket, head) => {
      if (request.url.startsWith(options.path)) {
        ws.handleUpgrade(request, socket, head, (opened) => ws.emit("connection", opened, request));
      }
    });
  }
};

new Server(server, plan.options).on("connection", answers);
attachOther();
server.listen(3000, () => console.log("LISTENING"));
