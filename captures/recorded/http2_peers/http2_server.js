// SPDX-License-Identifier: GPL-2.0-or-later
// A socket.io server on node:http2 in clear, for clients with prior knowledge: node http2_server.js PORT
"use strict";
const server = require("http2").createServer();
const { Server } = require("socket.io");
const io = new Server(server);
io.on("connection", (socket) => socket.on("add", (a, b, reply) => reply(a + b)));
server.listen(Number(process.argv[2]), () => console.log("LISTENING"));
