// SPDX-License-Identifier: GPL-2.0-or-later
// A socket.io server in clear, or a client over TLS that says what it got: node sio.js PLAN
//   {"role": "server", "port"}
//   {"role": "client", "address", "name", "ca", "tls": of node's TLS, "options": of socket.io-client, "again": bool}
"use strict";

const fs = require("fs");
const plan = JSON.parse(process.argv[2]);

function serve() {
  const http = require("http").createServer();
  const { Server } = require("socket.io");
  const io = new Server(http, { pingInterval: 600, pingTimeout: 400 });
  io.on("connection", (socket) => {
    socket.emit("hello", "from the server");
    socket.on("add", (a, b, reply) => reply(a + b));
    socket.on("bytes", (bytes) => socket.emit("bytes", bytes));
  });
  http.listen(plan.port, () => console.log("LISTENING"));
}

function connect(agent, then) {
  const { io } = require("socket.io-client");
  const socket = io(`https://${plan.name}`, { agent, reconnection: false, forceNew: true, ...plan.options });
  socket.on("connect_error", (error) => {
    console.log("LOG", error.message, (error.description && error.description.message) || "");
    socket.close();
  });
  socket.on("hello", () => {
    socket.emit("add", 2, 3, (sum) => {
      console.log("LOG sum", sum);
      socket.emit("bytes", Buffer.alloc(300, 7));
    });
  });
  socket.on("bytes", (bytes) => {
    console.log("LOG bytes", bytes.length);
    setTimeout(() => {
      socket.close();
      setTimeout(then, 200);
    }, 900);
  });
}

if (plan.role === "server") {
  serve();
} else {
  const https = require("https");
  const agent = new https.Agent({
    keepAlive: true,
    maxCachedSessions: 10,
    ca: fs.readFileSync(plan.ca),
    servername: plan.name,
    lookup: (name, options, callback) =>
      options.all ? callback(null, [{ address: plan.address, family: 4 }]) : callback(null, plan.address, 4),
    ...plan.tls,
  });
  const end = () => agent.destroy();
  connect(agent, plan.again ? () => connect(agent, end) : end);
}
