// SPDX-License-Identifier: GPL-2.0-or-later
// A Socket.IO server, of whatever version NODE_PATH holds, whose heartbeat is in trouble. Its plan:
//   port      3000 unless given
//   options   for the Server of socket.io
//   busy      {everyMs, forMs}: holds the event loop again and again, once a client has come
//   download  {afterMs, bytes}: sends an event of that size, so long after a client has come
//   noPongs   does not answer PING frames of WebSocket (needs ws 8.16, which socket.io 4.8 has)
"use strict";
const http = require("http");
const module_ = require("socket.io");
const { plan, log } = require("./plan");

const Server = module_.Server || module_; // 2.x exports the class itself
const options = { ...plan.options };
if (plan.noPongs) {
  const WebSocketServer = require("ws").Server;
  options.wsEngine = class extends WebSocketServer {
    constructor(given) {
      super({ ...given, autoPong: false });
    }
  };
}
const server = http.createServer();
const io = new Server(server, options);

const holdEventLoop = (ms) => {
  const end = Date.now() + ms;
  while (Date.now() < end);
};

io.on("connection", (socket) => {
  log("connection");
  socket.on("disconnect", (reason) => log("disconnect:", reason));
  socket.on("upload", (text) => log("event upload,", text.length));
  if (plan.busy) {
    setInterval(() => holdEventLoop(plan.busy.forMs), plan.busy.everyMs);
  }
  if (plan.download) {
    setTimeout(() => socket.emit("download", "x".repeat(plan.download.bytes)), plan.download.afterMs);
  }
});

server.listen(plan.port || 3000, () => console.log("LISTENING"));
