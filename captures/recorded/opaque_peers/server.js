// SPDX-License-Identifier: GPL-2.0-or-later
// A server over TLS on port 3443, or over HTTP where the plan has no certificate: node server.js PLAN
//   kind      socketio, resets, sse, http2 or websocket
//   cert, key, keys, maxVersion, port     `keys` is the file for the key log
//   options   of socket.io
"use strict";
const fs = require("fs");
const plan = JSON.parse(process.argv[2]);
const tls = plan.cert && {
  cert: fs.readFileSync(plan.cert),
  key: fs.readFileSync(plan.key),
  maxVersion: plan.maxVersion || "TLSv1.3",
};

function keepKeys(server) {
  if (plan.keys) server.on("keylog", (line) => fs.appendFileSync(plan.keys, line));
  return server;
}

const web = (handler) => (tls ? keepKeys(require("https").createServer(tls, handler)) : require("http").createServer());

const kinds = {
  socketio() {
    const server = web();
    const library = require("socket.io");
    const io = library.Server ? new library.Server(server, plan.options) : library(server, plan.options);
    io.on("connection", (socket) => socket.on("add", (a, b, reply) => reply(a + b)));
    return server;
  },
  resets() {
    // Hangs up with RST as soon as a request has come.
    const server = keepKeys(require("tls").createServer(tls));
    const raw = new Map();
    server.on("connection", (socket) => raw.set(socket.remotePort, socket));
    server.on("secureConnection", (socket) =>
      socket.once("data", () => raw.get(socket.remotePort).resetAndDestroy()).on("error", () => {}),
    );
    return server;
  },
  sse() {
    return web((request, response) => {
      if (request.url !== "/events") return response.end("fine");
      response.writeHead(200, { "Content-Type": "text/event-stream" });
      const timer = setInterval(() => response.write(": still here\n\n"), plan.everyMs);
      response.on("close", () => clearInterval(timer));
    });
  },
  http2() {
    const server = keepKeys(require("http2").createSecureServer(tls));
    server.on("stream", (stream) => {
      stream.on("error", () => {});
      stream.respond({ ":status": 200 });
      if (plan.everyMs) {
        const timer = setInterval(() => stream.write("x".repeat(12)), plan.everyMs);
        stream.on("close", () => clearInterval(timer));
      } else stream.end("fine");
    });
    return server;
  },
  websocket() {
    // Of the WebSocket protocol's own pings, as many servers send them.
    const server = web();
    const { WebSocketServer } = require("ws");
    new WebSocketServer({ server }).on("connection", (socket) => {
      socket.send("hello");
      const timer = setInterval(() => socket.ping(), plan.everyMs);
      socket.on("close", () => clearInterval(timer));
    });
    return server;
  },
};

const server = kinds[plan.kind]();
if (plan.keepAliveMs) server.keepAliveTimeout = plan.keepAliveMs;
server.listen(plan.port || 3443, () => console.log("LISTENING"));
