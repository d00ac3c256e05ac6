// SPDX-License-Identifier: GPL-2.0-or-later
// A Socket.IO server: `server.js PLAN` (JSON: port, nodePort, logPort, options, client: the browser build of
// socket.io-client, cert and key for HTTPS, middleware: whether the engine has one). Its WebTransport sessions end in relay.py, which hands the bytes of each
// over on a connection to nodePort; here they become what `engine.onWebTransportSession` takes, the W3C's interface.
"use strict";
const fs = require("fs");
const net = require("net");
const path = require("path");
const zlib = require("zlib");
const { Readable, Writable } = require("stream");
const { Server } = require("socket.io");

const plan = JSON.parse(process.argv[2]);
plan.client = plan.client || path.join(path.dirname(require.resolve("socket.io")), "../client-dist/socket.io.min.js");
const secrets = plan.cert ? { cert: fs.readFileSync(plan.cert), key: fs.readFileSync(plan.key) } : {};
const { createServer } = require(plan.cert ? "https" : "http");
const page = (request, response) => {
  if (request.url.startsWith("/page")) {
    response.setHeader("content-type", "text/html");
    response.setHeader("content-encoding", "gzip");
    response.end(zlib.gzipSync(fs.readFileSync(path.join(__dirname, "page.html"))));
  } else if (!request.url.startsWith("/socket.io/")) {
    response.statusCode = 404;
    response.end();
  }
};
const http = createServer(secrets, page);
const io = new Server(http, { transports: ["polling", "websocket", "webtransport"], ...plan.options });
if (plan.middleware) io.engine.use((request, response, next) => next());

io.on("connection", (socket) => {
  console.log(`LOG connected over ${socket.conn.transport.name}`);
  socket.conn.on("upgrade", (transport) => console.log(`LOG upgraded to ${transport.name}`));
  socket.on("disconnect", (reason) => console.log(`LOG disconnected: ${reason}`));
  socket.on("hello", (text, ack) => {
    socket.emit("greeting", `hello ${text}`);
    if (ack) ack("heard");
  });
  socket.on("binary", (data, ack) => {
    socket.emit("copy", data.subarray(0, 400));
    ack(data.length);
  });
  socket.on("leave", () => socket.disconnect(true));
});
io.of("/admin").use((socket, next) => next(new Error("not allowed")));

const bridge = net.createServer({ allowHalfOpen: false }, (connection) => {
  let close;
  const closed = new Promise((resolve) => (close = resolve));
  connection.on("error", () => {});
  connection.on("close", () => close({ closeCode: 0, reason: "" }));
  const stream = { readable: Readable.toWeb(connection), writable: Writable.toWeb(connection) };
  const incoming = new ReadableStream({ start: (controller) => controller.enqueue(stream) });
  const session = {
    ready: Promise.resolve(),
    closed,
    incomingBidirectionalStreams: incoming,
    close: () => connection.destroySoon(),
  };
  io.engine.onWebTransportSession(session);
});
createServer(secrets, (request, response) => {
  if (request.url === "/client.js") return response.end(fs.readFileSync(plan.client));
  if (request.url.startsWith("/?")) console.log(`PAGE ${decodeURIComponent(request.url.slice(2))}`);
  response.end();
}).listen(plan.logPort);
process.on("unhandledRejection", (error) => console.log(`LOG rejection: ${error.message}`));
bridge.listen(plan.nodePort, "127.0.0.1", () => http.listen(plan.port, () => console.log("LISTENING")));
