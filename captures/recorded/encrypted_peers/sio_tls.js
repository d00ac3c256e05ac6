// SPDX-License-Identifier: GPL-2.0-or-later
// A socket.io server over TLS or in clear, or a client of one: node sio_tls.js PLAN
//   {"role": "server", "port", "cert", "key", "maxVersion", "transports"}
//   {"role": "client", "url", "address", "ca", "transports"}     `address` is what every name resolves to
"use strict";

const fs = require("fs");
const plan = JSON.parse(process.argv[2]);

if (plan.role === "server") {
  const tls = plan.cert && { cert: fs.readFileSync(plan.cert), key: fs.readFileSync(plan.key) };
  const server = tls
    ? require("https").createServer({ ...tls, maxVersion: plan.maxVersion || "TLSv1.3" })
    : require("http").createServer();
  const { Server } = require("socket.io");
  const io = new Server(server, { transports: plan.transports || ["polling", "websocket"] });
  io.on("connection", (socket) => socket.on("add", (a, b, reply) => reply(a + b)));
  server.listen(plan.port, () => console.log("LISTENING"));
} else {
  const dns = require("dns");
  dns.lookup = (name, options, done) =>
    options.all ? done(null, [{ address: plan.address, family: 4 }]) : done(null, plan.address, 4);
  const { io } = require("socket.io-client");
  const socket = io(plan.url, {
    transports: plan.transports || ["websocket"],
    ca: plan.ca && fs.readFileSync(plan.ca),
    reconnection: false,
  });
  socket.on("connect", () => {
    socket.emit("add", 2, 3, (sum) => {
      console.log("LOG sum", sum);
      socket.close();
    });
  });
  socket.on("connect_error", (error) => {
    console.log("LOG", error.message, (error.description && error.description.message) || "");
    socket.close();
  });
}
