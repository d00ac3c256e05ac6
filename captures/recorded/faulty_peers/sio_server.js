// SPDX-License-Identifier: GPL-2.0-or-later
// A Socket.IO server, of whatever version NODE_PATH holds. Its plan:
//   port       3000 unless given
//   options    for the Server of socket.io
//   token      a middleware refuses every client whose auth (2.x: query) carries another one,
//              with an Error that has errorData
//   forbid     allowRequest refuses every handshake
//   slowSidMs  the session id takes so long to make, and the open packet waits for it
//   kick       ends the connection of each client so soon, as a server that has no use for it
//   busy       {afterMs, forMs}: holds the event loop, so long after a client has come, or
//              {everyMs, forMs}: again and again from then on
//   download   {afterMs, bytes}: sends an event of that size, so long after a client has come
//   greetings  sends each client so many events at once
//   keepAliveMs  how long an idle connection is kept (keepAliveTimeout of node:http)
//   flood      {afterMs, everyMs, bytes, times}: sends an event of that size again and again, from so long on
//   mute       never pings, but is otherwise alive
//   noPongs    does not answer PING frames of WebSocket (needs ws 8.16, which socket.io 4.8 has)
"use strict";
const http = require("http");
const module_ = require("socket.io");
const { plan, log, sleep, holdEventLoop, answers } = require("./plan");

const Server = module_.Server || module_; // 2.x exports the class itself
const server = http.createServer();
server.keepAliveTimeout = plan.keepAliveMs || server.keepAliveTimeout;
const options = { ...plan.options };
if (plan.forbid) {
  options.allowRequest = (request, decide) => decide("not for you", false);
}
if (plan.noPongs) {
  const WebSocketServer = require("ws").Server;
  options.wsEngine = class extends WebSocketServer {
    constructor(given) {
      super({ ...given, autoPong: false });
    }
  };
}
const io = new Server(server, options);

if (plan.slowSidMs) {
  const makeSid = io.engine.generateId.bind(io.engine);
  io.engine.generateId = async (request) => {
    await sleep(plan.slowSidMs);
    return makeSid(request);
  };
}

if (plan.token) {
  io.use((socket, next) => {
    const { auth, query } = socket.handshake;
    if ((auth || query).token === plan.token) {
      return next();
    }
    const error = new Error("unauthorized");
    error.data = plan.errorData;
    next(error);
  });
}

io.on("connection", (socket) => {
  answers(socket);
  socket.on("files", (...files) => log("event files,", files.length));
  socket.on("upload", (text) => log("event upload,", text.length));
  if (plan.kick) {
    socket.conn.close();
  }
  if (plan.busy) {
    const { afterMs, everyMs, forMs } = plan.busy;
    everyMs ? setInterval(holdEventLoop, everyMs, forMs) : setTimeout(holdEventLoop, afterMs, forMs);
  }
  if (plan.download) {
    setTimeout(() => socket.emit("download", "x".repeat(plan.download.bytes)), plan.download.afterMs);
  }
  for (let i = 1; i <= (plan.greetings || 0); i++) {
    socket.emit("greeting", `number ${i}`);
  }
  if (plan.flood) {
    const { afterMs, everyMs, bytes, times } = plan.flood;
    const once = (left) => {
      socket.emit("flood", "x".repeat(bytes));
      left > 1 && setTimeout(once, everyMs, left - 1);
    };
    setTimeout(once, afterMs, times);
  }
  if (plan.mute) {
    clearTimeout(socket.conn.pingIntervalTimer);
  }
});

// Lines that start with SESSION are for who watches this server: the session id, and what becomes of it.
io.engine.on("connection", (engineSocket) => {
  const { id } = engineSocket;
  console.log("SESSION", id, "opened");
  engineSocket.on("upgrade", () => console.log("SESSION", id, "upgraded"));
  engineSocket.on("close", (reason) => {
    log("session closed:", reason);
    console.log("SESSION", id, "closed");
  });
});
io.engine.on("connection_error", (error) => log("refused:", error.code, error.message));

server.listen(plan.port || 3000, () => console.log("LISTENING"));
