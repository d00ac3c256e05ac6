// SPDX-License-Identifier: GPL-2.0-or-later
// A Socket.IO server that ends sessions, of whatever version NODE_PATH holds. Its plan:
//   port           3000 unless given
//   options        for the Server of socket.io
//   namespaces     served beside "/"
//   terminateMs    destroys the connection of each client so long after it has joined
//   On SIGTERM it closes in order: io.close().
"use strict";
const http = require("http");
const module_ = require("socket.io");
const { plan, log, answers } = require("./plan");

const Server = module_.Server || module_; // 2.x exports the class itself
const server = http.createServer();
const io = new Server(server, plan.options);

io.on("connection", (socket) => {
  answers(socket);
  if (plan.terminateMs) {
    setTimeout(() => socket.conn.transport.socket.terminate(), plan.terminateMs);
  }
});
for (const name of plan.namespaces || []) {
  io.of(name).on("connection", answers);
}

process.on("SIGTERM", () => {
  io.close();
  setTimeout(() => process.exit(0), 300);
});

server.listen(plan.port || 3000, () => console.log("LISTENING"));
